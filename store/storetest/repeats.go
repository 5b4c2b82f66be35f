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

// repeatPromises are those about committing twice, and about not knowing.
var repeatPromises = []promise{
	{"Commit/that is repeated changes nothing and returns the first receipt", func(p *probe) {
		all := p.grow("a", 3)
		nameless := p.evidence("", 0)
		all = append(all, nameless)
		p.commit(nameless)
		want := p.everything()
		for _, c := range all {
			r := p.commit(c)
			e := entry(c)
			p.same("receipt", r, store.Receipt{Version: e.Version, Entry: e, Repeated: true})
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
			p.same("receipt", p.commit(other), store.Receipt{Version: 2, Entry: entry(all[1]), Repeated: true})
		}
		p.same("after repetitions", p.everything(), want)
	}},
	{"Commit/that was refused leaves its id as good as new", func(p *probe) {
		p.grow("a", 1)
		c := p.evidence("a", 0)
		p.refused(c, store.ErrConflict)
		c.Expect = 1
		p.same("receipt", p.commit(c), store.Receipt{Version: 2, Entry: entry(c)})
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
	{"Resolve/returns what a repetition would", func(p *probe) {
		all := append(p.grow("a", 2), p.evidence("", 0))
		p.commit(all[2])
		for _, c := range all {
			r, err := p.s.Resolve(p.Context(), c.Entry.ID)
			p.is(err, nil, "Resolve")
			p.same("receipt", r, p.commit(c))
		}
	}},
	{"Resolve/of an entry that is not in the journal is ErrNotFound", func(p *probe) {
		all := p.grow("a", 2)
		_, err := p.s.Resolve(p.Context(), store.NewEntryID(time.Now()))
		p.is(err, store.ErrNotFound, "never committed")
		_, err = p.s.Resolve(p.Context(), store.EntryID{})
		p.is(err, store.ErrNotFound, "the zero id")
		p.is(p.s.Trim(p.Context(), "a", 1, all[0].Record), nil, "Trim")
		_, err = p.s.Resolve(p.Context(), all[0].Entry.ID)
		p.is(err, store.ErrNotFound, "trimmed")
	}},
	// Contexts end at random instants of a commit. Whatever Commit then answers,
	// Resolve tells once and for all.
	{"Resolve/settles what became of a commit that was cut off", func(p *probe) {
		settled := map[store.EntryID]error{}
		var version uint64
		for range 100 {
			c := p.sealedEvidence("a", version)
			err := p.cutOff(c, time.Duration(rand.IntN(300))*time.Microsecond)
			r, resolved := p.s.Resolve(p.Context(), c.Entry.ID)
			switch {
			case resolved == nil:
				version++
				p.same("receipt", r, store.Receipt{Version: version, Entry: entry(c), Repeated: true})
			case !errors.Is(resolved, store.ErrNotFound):
				p.Fatalf("Resolve: %v", resolved)
			case err == nil:
				p.Errorf("a commit that returned nil is not found")
			}
			settled[c.Entry.ID] = resolved
			if owner := p.owner(c.Claim[0].Digest); (owner == "a") != (resolved == nil) {
				p.Errorf("Resolve says %v, but the digest has owner %q", resolved, owner)
			}
		}
		for id, first := range settled {
			_, now := p.s.Resolve(p.Context(), id)
			p.is(now, first, "Resolve, later on")
		}
		if n := uint64(len(p.history("a"))); n != version {
			p.Errorf("%d entries, of which Resolve knows %d", n, version)
		}
	}},
}

// cutOff commits with a context that ends after a time.
func (p *probe) cutOff(c store.Commit, after time.Duration) error {
	ctx, cancel := context.WithTimeout(p.Context(), after)
	defer cancel()
	_, err := p.s.Commit(ctx, c)
	if err != nil && ctx.Err() == nil {
		p.Errorf("Commit: %v", err)
	}
	return err
}
