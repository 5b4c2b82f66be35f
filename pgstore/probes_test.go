package pgstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store/storetest/deployment"
)

// asker is a prober of one instance, to which every token works, and who counts.
type asker struct {
	mu    sync.Mutex
	asked map[string]int
}

func (a *asker) Probe(ctx context.Context, token keyrack.Token, enterprise string) (connector.Answer, error) {
	a.mu.Lock()
	a.asked[token.Reveal()]++
	a.mu.Unlock()
	return allIsWell{}.Probe(ctx, token, enterprise)
}

func (a *asker) total() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, times := range a.asked {
		n += times
	}
	return n
}

// Of three instances one asks, each question once, whichever instance received the
// delivery. When it dies, another one asks the remaining questions, once each.
func TestEachProbeIsMadeOnce(t *testing.T) {
	const hotels, instances = 40, 3
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	ctx := t.Context()
	d := &deployment.Deployment{Sealer: seal.Ephemeral(), Heard: new(deployment.Heard)}
	var askers [instances]*asker
	var racks [instances]deployment.InProcess
	for i := range instances {
		askers[i] = &asker{asked: map[string]int{}}
		options := hasty(d.Sealer)
		options.Prober, options.ProbeRate = askers[i], 1000
		instance, end, err := startRack(ctx, d, c, schema, options)
		defer func() { _ = end() }()
		if err != nil {
			t.Fatal(err)
		}
		racks[i] = instance
	}
	id := func(hotel int) string { return fmt.Sprintf("%08x-974d-4f16-9662-ab2200f27cb1", hotel) }
	deliver := func(to int, e events.Event) {
		t.Helper()
		e.Name = e.Action.String()
		body, err := events.Encode(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := racks[to].Deliver(ctx, body); err != nil {
			t.Fatal(err)
		}
	}
	// answered waits until the journal has so many answers for each hotel.
	answered := func(witness, each int) {
		t.Helper()
		ctx, cancel := context.WithTimeout(ctx, settling)
		defer cancel()
		answers, complete := map[string]int{}, 0
		for e, err := range racks[witness].Changes(ctx, 0) {
			if err != nil {
				t.Fatal(err)
			}
			if e.Evidence.Kind != lifecycle.KindProbe {
				continue
			}
			if answers[e.Integration]++; answers[e.Integration] == each {
				complete++
			}
			if complete == hotels {
				return
			}
		}
		t.Fatalf("%d of %d integrations have %d answers", complete, hotels, each)
	}
	for hotel := range hotels {
		deliver(hotel%instances, events.Event{
			Action: lifecycle.IntegrationCreated, Integration: lifecycle.Named{ID: id(hotel), Name: "Spa"},
			Enterprise: deployment.Enterprise, AccessToken: lifecycle.NewToken(deployment.Token(hotel)),
			CreatedUtc: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), IsEnabled: lifecycle.Yes,
		})
	}
	answered(0, 1)
	owner := -1
	for i, a := range askers {
		switch n := a.total(); {
		case n == hotels && owner < 0:
			owner = i
		case n != 0:
			t.Fatalf("instance %d asked %d questions of %d", i, n, hotels)
		}
	}
	if owner < 0 {
		t.Fatal("nobody asked everything")
	}
	// What is due next has to wait for the gap between two probes of an
	// integration, which the owner does not live to see.
	heir := (owner + 1) % instances
	for hotel := range hotels {
		deliver(heir, events.Event{Action: lifecycle.IntegrationEnabled, Integration: lifecycle.Named{ID: id(hotel), Name: "Spa"}})
	}
	if err := racks[owner].Kill(); err != nil {
		t.Fatal(err)
	}
	answered(heir, 2)
	if n := askers[owner].total(); n != hotels {
		t.Errorf("the dead asked %d questions, %d of them while it lived", n, hotels)
	}
	for hotel := range hotels {
		n := 0
		for _, a := range askers {
			a.mu.Lock()
			n += a.asked[deployment.Token(hotel)]
			a.mu.Unlock()
		}
		if n != 2 {
			t.Errorf("integration %d was asked about %d times, want twice", hotel, n)
		}
	}
}

// TestRestartAsksNobody: an instance that follows on another within seconds, by a restart or
// a takeover, asks nothing anew.
func TestRestartAsksNobody(t *testing.T) {
	const hotels = 20
	c := pgtest.Shared(t)
	schema := c.Schema(t)
	ctx := t.Context()
	d := &deployment.Deployment{Sealer: seal.Ephemeral(), Heard: new(deployment.Heard)}
	open := func() (*asker, deployment.InProcess, func() error) {
		t.Helper()
		a := &asker{asked: map[string]int{}}
		options := hasty(d.Sealer)
		options.Prober, options.ProbeRate = a, 1000
		instance, end, err := startRack(ctx, d, c, schema, options)
		if err != nil {
			_ = end()
			t.Fatal(err)
		}
		return a, instance, end
	}
	a, rack, end := open()
	for hotel := range hotels {
		e := events.Event{
			Action: lifecycle.IntegrationCreated, Name: lifecycle.IntegrationCreated.String(),
			Integration: lifecycle.Named{ID: fmt.Sprintf("%08x-974d-4f16-9662-ab2200f27cb1", hotel), Name: "Spa"},
			Enterprise:  deployment.Enterprise, AccessToken: lifecycle.NewToken(deployment.Token(hotel)),
			CreatedUtc: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), IsEnabled: lifecycle.Yes,
		}
		body, err := events.Encode(e)
		if err == nil {
			_, err = rack.Deliver(ctx, body)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(settling); a.total() < hotels; {
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d questions", a.total(), hotels)
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(2 * time.Second) // of a leader's life, which it notes every third of a second
	if err := end(); err != nil {
		t.Fatal(err)
	}
	first, _, endFirst := open() // a restart
	time.Sleep(2 * time.Second)
	second, _, endSecond := open()
	time.Sleep(time.Second)
	if err := endFirst(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second) // a takeover
	if err := endSecond(); err != nil {
		t.Fatal(err)
	}
	if first.total() != 0 || second.total() != 0 {
		t.Errorf("after a restart %d questions, after a takeover %d", first.total(), second.total())
	}
}
