package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// repeatPromises are those about committing twice.
var repeatPromises = []promise{
	{"Commit/that is repeated changes nothing and returns the first result", func(p *probe) {
		all := p.grow("a", 3)
		nameless := p.evidence("", 0)
		all = append(all, nameless)
		p.commit(nameless)
		want := p.everything()
		for _, c := range all {
			r := p.commit(c)
			e := entry(c)
			p.same("receipt", r, store.Committed{Version: e.Version, Entry: e, Repeated: true})
		}
		p.same("after repetitions", p.everything(), want)
	}},
	{"Commit/that is repeated is told by the entry id alone", func(p *probe) {
		all := p.grow("a", 2)
		want := p.everything()
		for _, integration := range []string{"a", "b", ""} {
			other := p.evidence(integration, 0)
			if integration != "" {
				other = p.sealedEvidence(integration, 0)
			}
			other.Entry.ID = all[1].Entry.ID
			p.same("receipt", p.commit(other), store.Committed{Version: 2, Entry: entry(all[1]), Repeated: true})
		}
		p.same("after repetitions", p.everything(), want)
	}},
	{"Commit/that was refused leaves its id as good as new", func(p *probe) {
		p.grow("a", 1)
		c := p.evidence("a", 0)
		p.refused(c, store.ErrConflict)
		c.Expect = 1
		p.same("receipt", p.commit(c), store.Committed{Version: 2, Entry: entry(c)})
	}},
	{"Commit/that is repeated after its entry was trimmed or forgotten is ErrConflict", func(p *probe) {
		all := p.grow("a", 2)
		if err := p.s.Trim(p.Context(), "a", 1, all[0].Record); err != nil {
			p.Fatalf("Trim: %v", err)
		}
		p.refused(all[0], store.ErrConflict)
		c := p.evidence("a", 2)
		c.Forget = true
		p.commit(c)
		p.refused(all[1], store.ErrConflict)
	}},
	{"Commit/that is repeated by many at once happens once", func(p *probe) {
		for round := range uint64(20) {
			c := p.sealedEvidence("a", round)
			want := text(entry(c))
			var fresh atomic.Int64
			p.together(8, func(int) error {
				r, err := p.s.Commit(context.WithoutCancel(p.Context()), c)
				if err != nil {
					return err
				}
				if !r.Repeated {
					fresh.Add(1)
				}
				if got := text(r.Entry); got != want || r.Version != round+1 {
					return fmt.Errorf("receipt of version %d:\n got %s\nwant %s", r.Version, got, want)
				}
				return nil
			})
			if fresh.Load() != 1 {
				p.Errorf("%d receipts say that they are the first", fresh.Load())
			}
			if n := len(p.history("a")); n != int(round)+1 {
				p.Fatalf("%d entries after %d commits", n, round+1)
			}
		}
	}},
	// Contexts end at random instants of a commit. Whatever Commit answers, repeating
	// it settles the outcome.
	{"Commit/that was cut off is settled by its repetition", func(p *probe) {
		all := make([]store.Commit, 100)
		for i := range all {
			c := p.sealedEvidence("a", uint64(i))
			all[i] = c
			err := p.cutOff(c, time.Duration(rand.IntN(300))*time.Microsecond)
			r := p.commit(c)
			p.same("receipt", r, store.Committed{Version: c.Expect + 1, Entry: entry(c), Repeated: r.Repeated})
			if err == nil && !r.Repeated {
				p.Errorf("a commit that returned nil happened again")
			}
			p.same("owner", p.owner(c.Claim[0].Digest), "a")
		}
		for _, c := range all {
			p.same("receipt, later on", p.commit(c), store.Committed{Version: c.Expect + 1, Entry: entry(c), Repeated: true})
		}
		p.same("history", p.history("a"), entries(all...))
	}},
	{"Commit/that was cut off and is given up may be followed by another", func(p *probe) {
		var version uint64
		for range 100 {
			c := p.sealedEvidence("a", version)
			_ = p.cutOff(c, time.Duration(rand.IntN(300))*time.Microsecond)
			_, err := receipt(p.Context(), p.s, c.Entry.ID)
			if err == nil {
				version++
				continue
			}
			p.is(err, store.ErrNotFound, "a repetition")
			other := p.sealedEvidence("a", version)
			switch _, err := p.s.Commit(p.Context(), other); {
			case err == nil:
				p.refused(c, store.ErrConflict)
			case errors.Is(err, store.ErrConflict): // it happened later
				p.same("receipt", p.commit(c), store.Committed{Version: version + 1, Entry: entry(c), Repeated: true})
			default:
				p.Fatalf("Commit: %v", err)
			}
			version++
			if n := uint64(len(p.history("a"))); n != version {
				p.Fatalf("%d entries, want %d", n, version)
			}
		}
	}},
}

// cutOff commits with a context that ends after a while.
func (p *probe) cutOff(c store.Commit, after time.Duration) error {
	ctx, cancel := context.WithTimeout(p.Context(), after)
	defer cancel()
	_, err := p.s.Commit(ctx, c)
	if err != nil && ctx.Err() == nil {
		p.Errorf("Commit: %v", err)
	}
	return err
}
