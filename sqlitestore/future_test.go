package sqlitestore_test

import (
	"context"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
)

// asked counts what Mews is asked.
type asked struct{ n atomic.Int64 }

func (a *asked) Probe(context.Context, lifecycle.Token, string) (connector.Answer, error) {
	a.n.Add(1)
	return connector.Answer{Kind: connector.Accepted, Status: 200}, nil
}

// TestLeasesOfAClockThatWasAhead: the clock was 30 days ahead, the process died, and the
// clock was put right: probes and subscriptions go on after the takeover time.
func TestLeasesOfAClockThatWasAhead(t *testing.T) {
	path := filepath.Join(fastDir(t), "keyrack.db")
	const takeover = 500 * time.Millisecond
	sealer := seal.Ephemeral()
	open := func() (*keyrack.Rack, *asked, *atomic.Int64, func()) {
		s := mustOpen(t, path, nil)
		a, handled := new(asked), new(atomic.Int64)
		rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: sealer, Prober: a, Takeover: takeover})
		if err != nil {
			t.Fatal(err)
		}
		err = rack.Subscribe("test", func(context.Context, keyrack.Change) error { handled.Add(1); return nil },
			&keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}, FromStart: true})
		if err != nil {
			t.Fatal(err)
		}
		return rack, a, handled, func() { rack.Close(); s.Close() }
	}
	works := func(rack *keyrack.Rack, a *asked, handled *atomic.Int64, id string) {
		t.Helper()
		questions, calls := a.n.Load(), handled.Load()
		if _, err := rack.Import(t.Context(), keyrack.Import{
			Integration: lifecycle.Named{ID: id}, Enterprise: lifecycle.Named{ID: "hotel"}, Token: lifecycle.NewToken("made-up-token-0123456789-" + id),
		}); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(30 * time.Second); a.n.Load() == questions || handled.Load() == calls; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("after 30 s %d questions and %d calls", a.n.Load()-questions, handled.Load()-calls)
			}
		}
	}
	rack, a, handled, end := open()
	works(rack, a, handled, "one")
	end()
	// As a process leaves it behind that died while its clock was ahead.
	execute(t, path, `UPDATE lease SET holder = 'dead', until = (unixepoch() + 30 * 86400) * 1000000, length = 500000`)
	rack, a, handled, end = open()
	defer end()
	works(rack, a, handled, "two")
}
