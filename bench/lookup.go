package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/puzpuzpuz/xsync/v4"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

func hotelID(n int) string { return fmt.Sprintf("%08x-0000-4000-8000-%012x", n, n) }

func tokenText(n int) string {
	h := sha256.Sum256(fmt.Append(nil, n))
	return fmt.Sprintf("%X-%X", h[:16], h[16:])[:64]
}

// webhook returns a body as Mews sends it.
func webhook(a lifecycle.Action, n int) []byte {
	e := events.Event{Action: a, Name: a.String(), Integration: lifecycle.Named{ID: hotelID(n), Name: "Sample"}}
	if a == lifecycle.IntegrationCreated {
		e.Enterprise = lifecycle.Named{ID: hotelID(n), Name: "Sample Chain Hotel 1"}
		e.Service = lifecycle.Named{ID: hotelID(n), Name: "Accommodation"}
		e.AccessToken = lifecycle.NewToken(tokenText(n))
		e.CreatedUtc = time.Date(2019, 12, 13, 14, 42, 52, 0, time.UTC)
		e.IsEnabled = lifecycle.Yes
	}
	body, err := events.Encode(e)
	if err != nil {
		panic(err) // the event is ours
	}
	return body
}

func openRack() (*keyrack.Rack, error) {
	return keyrack.Open(context.Background(), memstore.New(&memstore.Options{JournalLimit: 1024}), &keyrack.Options{Poll: time.Hour, MaxIntegrations: -1})
}

// answer is what a user's own map would hold for a token.
type answer struct{ valid bool }

// lookUps races maps and Check over so many tokens, with or without a writer beside.
func lookUps(d time.Duration, size int) ([]table, error) {
	rack, err := openRack()
	if err != nil {
		return nil, err
	}
	defer rack.Close()
	var (
		mu      sync.RWMutex
		tokens  = make([]string, size)
		digests = make(map[[32]byte]*answer, size)
		locked  = make(map[string]*answer, size)
		synced  sync.Map
		x       = xsync.NewMap[string, *answer]()
		cached  = otter.Must(&otter.Options[string, *answer]{MaximumSize: 2 * size})
		key     [32]byte
	)
	defer cached.StopAllGoroutines()
	digest := func(token string) [32]byte {
		var b [96]byte
		copy(b[copy(b[:], key[:]):], token)
		return sha256.Sum256(b[:])
	}
	for n := range size {
		if _, err := rack.Deliver(context.Background(), webhook(lifecycle.IntegrationCreated, n)); err != nil {
			return nil, err
		}
		t, a := tokenText(n), &answer{true}
		tokens[n], digests[digest(t)], locked[t] = t, a, a
		synced.Store(t, a)
		x.Store(t, a)
		cached.Set(t, a)
	}
	rand.Shuffle(size, func(i, j int) { tokens[i], tokens[j] = tokens[j], tokens[i] })
	const questions = 1000
	at := 0
	each := func(name string, valid func(string) bool) way {
		return way{name: name, batch: func() error {
			for range questions {
				at = (at + 1) % size
				if !valid(tokens[at]) {
					return fmt.Errorf("token %d is not valid", at)
				}
			}
			return nil
		}}
	}
	ways := []way{
		each("one SHA-256 and a map", func(t string) bool { return digests[digest(t)].valid }),
		each("map with RWMutex", func(t string) bool {
			mu.RLock()
			defer mu.RUnlock()
			return locked[t].valid
		}),
		each("sync.Map", func(t string) bool { a, ok := synced.Load(t); return ok && a.(*answer).valid }),
		each("xsync", func(t string) bool { a, ok := x.Load(t); return ok && a.valid }),
		each("otter", func(t string) bool { a, ok := cached.GetIfPresent(t); return ok && a.valid }),
		each("keyrack, a whole Check", func(t string) bool { return rack.Check(t).Status == lifecycle.Valid }),
	}
	alone, err := race(d, questions, ways)
	if err != nil {
		return nil, err
	}
	// The writer writes to all of them, 1,000 times a second or as often as it comes to.
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		tick := time.NewTicker(time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				ended <- nil
				return
			case <-tick.C:
			}
			t, a := tokenText(n%size), &answer{true}
			mu.Lock()
			locked[t] = a
			mu.Unlock()
			synced.Store(t, a)
			x.Store(t, a)
			cached.Set(t, a)
			// A second IntegrationCreated is journalled, and changes nothing that Check says.
			if _, err := rack.Deliver(context.Background(), webhook(lifecycle.IntegrationCreated, n%size)); err != nil {
				ended <- err
				return
			}
		}
	}()
	beside, err := race(d, questions, ways)
	close(stop)
	if failed := <-ended; err == nil {
		err = failed
	}
	note := "The maps of others hold tokens as text and nothing but a yes; Keyrack keeps no token, so it digests first, and Check judges."
	return []table{
		{fmt.Sprintf("Look-up among %d tokens", size), note, alone},
		{fmt.Sprintf("Look-up among %d tokens beside a writer", size), "The floor's map is not written to.", beside},
	}, err
}
