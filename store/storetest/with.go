package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// move returns a commit that takes the token of one integration over to another: both are
// at version 1, or the new one does not exist.
func (p *probe) move(from store.Commit, to string, expect uint64) store.Commit {
	with := p.evidence(from.Entry.Integration, from.Expect+1)
	with.Disown = []lifecycle.Digest{from.Claim[0].Digest}
	c := p.evidence(to, expect)
	c.Body = secret("body")
	c.Claim = []store.Claim{{Digest: from.Claim[0].Digest, Sealed: secret("token")}}
	c.With = &with
	return c
}

// withPromises are those about a commit of two integrations.
var withPromises = []promise{
	{"With/changes both integrations in one commit, and a digest goes from one to the other", func(p *probe) {
		for i, expect := range []uint64{0, 1} {
			from, to := fmt.Sprint("from", i), fmt.Sprint("to", i)
			old := p.grow(from, 1)[0]
			if expect > 0 {
				p.grow(to, 1)
			}
			c := p.move(old, to, expect)
			p.same("receipt", p.commit(c), store.Committed{Version: expect + 1, Entry: entry(c)})
			p.same("record", p.load(to), stored(c))
			p.same("record of the other", p.load(from), stored(*c.With))
			p.same("owner", p.owner(c.Claim[0].Digest), to)
			p.same("token", p.sealed(token(c)), c.Claim[0].Sealed)
			p.same("former token", p.sealed(token(old)), []byte(nil))
			p.same("body", p.sealed(body(c)), c.Body)
			history := p.history(from)
			p.same("history of the other", history, entries(old, *c.With))
			both := 0
			for _, e := range p.journal(0) {
				if e.ID == c.Entry.ID || e.ID == c.With.Entry.ID {
					both++
				}
			}
			p.same("entries in the journal", both, 2)
		}
		if p.reopen != nil {
			before := p.everything()
			p.s = p.reopen(p.s)
			p.same("after it was opened anew", p.everything(), before)
		}
	}},
	{"With/is refused as a whole", func(p *probe) {
		old, third := p.grow("from", 1)[0], p.grow("third", 1)[0]
		p.grow("to", 1)
		stale := p.move(old, "to", 0)
		p.refused(stale, store.ErrConflict)
		stale = p.move(old, "to", 1)
		stale.With.Expect = 2
		p.refused(stale, store.ErrConflict)
		stale = p.move(old, "new", 0)
		stale.With.Expect = 0
		p.refused(stale, store.ErrConflict)
		taken := p.move(old, "to", 1)
		taken.Claim = append(taken.Claim, store.Claim{Digest: third.Claim[0].Digest})
		p.refused(taken, store.ErrOwned)
		kept := p.move(old, "to", 1)
		kept.With.Disown = nil
		p.refused(kept, store.ErrOwned)
		if _, err := p.s.Load(p.Context(), "new"); !errors.Is(err, store.ErrNotFound) {
			p.Errorf("a refused commit created an integration: %v", err)
		}
		p.commit(p.move(old, "to", 1))
	}},
	{"With/that contradicts itself is ErrInvalid and changes nothing", func(p *probe) {
		old := p.grow("from", 1)[0]
		for _, spoil := range []func(c *store.Commit){
			func(c *store.Commit) { c.With.Entry.Integration = "to" },
			func(c *store.Commit) { c.With.Entry.Integration, c.With.Record, c.With.Expect = "", nil, 0 },
			func(c *store.Commit) { c.With.Entry.ID = c.Entry.ID },
			func(c *store.Commit) { c.With.Entry.ID = store.EntryID{} },
			func(c *store.Commit) { c.With.Claim = []store.Claim{{Digest: p.digest()}} },
			func(c *store.Commit) { c.With.Forget = true },
			func(c *store.Commit) { c.With.EraseBodies = true },
			func(c *store.Commit) { more := p.evidence("third", 0); c.With.With = &more },
		} {
			c := p.move(old, "to", 0)
			spoil(&c)
			p.refused(c, store.ErrInvalid)
		}
	}},
	{"With/repeated changes nothing and returns the first result", func(p *probe) {
		old := p.grow("from", 1)[0]
		c := p.move(old, "to", 0)
		p.commit(c)
		p.commit(p.evidence("to", 1))
		p.commit(p.evidence("from", 2))
		before := p.everything()
		r := p.commit(c)
		p.same("repeated", r.Repeated, true)
		p.same("version", r.Version, uint64(1))
		p.same("everything", p.everything(), before)
	}},
	{"With/by many at once has one winner, and the digest an owner at any time", func(p *probe) {
		for round := range 10 {
			from := fmt.Sprint("from", round)
			old := p.grow(from, 1)[0]
			all := make([]store.Commit, 6)
			for i := range all {
				all[i] = p.move(old, fmt.Sprintf("to%d-%d", round, i), 0)
			}
			won := make([]bool, len(all))
			var left atomic.Int32
			left.Store(int32(len(all)))
			p.together(len(all)+1, func(i int) error {
				ctx := context.WithoutCancel(p.Context())
				if i == len(all) {
					for left.Load() > 0 {
						if _, err := p.s.Owner(ctx, old.Claim[0].Digest); err != nil {
							return fmt.Errorf("the digest has no owner: %w", err)
						}
					}
					return nil
				}
				defer left.Add(-1)
				_, err := p.s.Commit(ctx, all[i])
				if won[i] = err == nil; errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrOwned) {
					return nil
				}
				return err
			})
			winner := slices.Index(won, true)
			if winner < 0 || slices.Contains(won[winner+1:], true) {
				p.Fatalf("the winners are %v", won)
			}
			p.same("owner", p.owner(old.Claim[0].Digest), all[winner].Entry.Integration)
			p.same("version of the other", p.load(from).Version, uint64(2))
		}
	}},
}
