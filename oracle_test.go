package keyrack_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

const (
	maxAge   = 24 * time.Hour   // what Policy.MaxAge is with a prober, if not set
	probeGap = 10 * time.Second // the least time between two questions about one integration
)

// oracle is the Connector API as a table: which tokens work, and for whom.
type oracle struct {
	mu      sync.Mutex
	works   map[string]string // token: its enterprise; absent: 401
	silent  bool              // nothing answers
	deny    bool              // 401 for everyone
	mute    string            // a token to which nothing answers
	delay   time.Duration
	asked   []time.Time
	askedBy map[string]int // questions by token
}

func newOracle(tokens ...string) *oracle {
	// The answer takes its time, so that a test can look before it is there.
	o := &oracle{works: map[string]string{}, askedBy: map[string]int{}, delay: 100 * time.Millisecond}
	for _, token := range tokens {
		o.works[tokenText(token)] = enterpriseID("H")
	}
	return o
}

func (o *oracle) set(change func(*oracle)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	change(o)
}

func (o *oracle) questions(token string) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.askedBy[tokenText(token)]
}

func (o *oracle) Probe(ctx context.Context, token lifecycle.Token, _ string) (connector.Answer, error) {
	o.mu.Lock()
	o.asked = append(o.asked, time.Now())
	o.askedBy[token.Reveal()]++
	enterprise, works := o.works[token.Reveal()]
	silent, deny, delay := o.silent || token.Reveal() == o.mute, o.deny, o.delay
	o.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-ctx.Done():
		return connector.Answer{}, ctx.Err()
	}
	switch {
	case silent:
		return connector.Answer{}, errors.New("made-up silence")
	case deny || !works:
		return connector.Answer{Kind: connector.Unauthorized, Status: 401}, nil
	}
	return connector.Answer{Kind: connector.Accepted, Status: 200, Enterprise: lifecycle.Named{ID: enterprise}}, nil
}

// bench is a Rack with an oracle on a store.
type bench struct {
	*testing.T
	*keyrack.Rack
	oracle *oracle
	store  *memstore.Store
	alarms func() []keyrack.Alarm
}

func opened(t *testing.T, o *oracle, s *memstore.Store, sealer seal.Sealer) bench {
	t.Helper()
	var mu sync.Mutex
	var alarms []keyrack.Alarm
	rack, err := keyrack.Open(context.Background(), s, &keyrack.Options{
		Prober: o, Sealer: sealer,
		Telemetry: &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) {
			mu.Lock()
			defer mu.Unlock()
			alarms = append(alarms, a)
		}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, rack, o, s, func() []keyrack.Alarm {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(alarms)
	}}
}

// probing runs a test on virtual time with a fresh bench.
func probing(t *testing.T, o *oracle, test func(b bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := opened(t, o, memstore.New(nil), seal.Ephemeral())
		defer b.Close()
		test(b)
	})
}

// witness adds a hotel whose token works, so that a 401 of another one can be attributed.
func (b bench) witness() {
	b.Helper()
	b.oracle.set(func(o *oracle) { o.works[tokenText("witness")] = enterpriseID("H") })
	b.deliver(creation("witness", "witness", lifecycle.Yes))
}

func (b bench) deliver(body []byte) keyrack.Receipt {
	b.Helper()
	receipt, err := b.Deliver(context.Background(), body)
	if err != nil {
		b.Fatalf("Deliver: %v", err)
	}
	return receipt
}

func (b bench) is(token string, status lifecycle.Status, reason lifecycle.Reason) {
	b.Helper()
	if v := b.Check(tokenText(token)); v.Status != status || v.Reason != reason {
		b.Errorf("token %s is %v (%v), want %v (%v)", token, v.Status, v.Reason, status, reason)
	}
}

func (b bench) alarmed(cause string) {
	b.Helper()
	if !slices.ContainsFunc(b.alarms(), func(a keyrack.Alarm) bool { return a.Cause == cause }) {
		b.Errorf("no alarm of %q among %v", cause, b.alarms())
	}
}

var settle = testkit.Settle
