package storetest

import (
	"context"
	"errors"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// incarnationPromises are those about histories: what tells one from another, and that what
// a repetition finds is not gone again in the next.
var incarnationPromises = []promise{
	{"Commit/after another entry than the one that made the version is ErrConflict and changes nothing", func(p *probe) {
		all := p.grow("a", 2)
		b := p.grow("b", 2)
		for _, after := range []store.EntryID{store.NewEntryID(time.Now()), all[0].Entry.ID, b[1].Entry.ID} {
			for _, spoil := range []func(c *store.Commit){
				func(*store.Commit) {},
				func(c *store.Commit) { c.EraseBodies = true },
				func(c *store.Commit) { c.Forget = true },
				func(c *store.Commit) { c.Disown = append(c.Disown, all[0].Claim[0].Digest) },
			} {
				c := p.sealedEvidence("a", 2)
				c.After = after
				spoil(&c)
				p.refused(c, store.ErrConflict)
			}
		}
		c := p.sealedEvidence("a", 2)
		c.After = all[1].Entry.ID
		p.same("receipt", p.commit(c), store.Committed{Version: 3, Entry: entry(c)})
		next := p.sealedEvidence("a", 3) // in steps
		next.After, next.EraseBodies = c.Entry.ID, true
		p.same("receipt", p.commit(next), store.Committed{Version: 4, Entry: entry(next)})
	}},
	{"Commit/after an entry that was trimmed or forgotten goes by that entry all the same", func(p *probe) {
		trimmed := p.grow("a", 2)
		p.trim("a", 2, trimmed[1].Record)
		forget := p.evidence("b", p.grow("b", 1)[0].Expect+1)
		forget.Forget = true
		p.commit(forget)
		p.trim("b", 2, forget.Record)
		for integration, made := range map[string]store.EntryID{"a": trimmed[1].Entry.ID, "b": forget.Entry.ID} {
			p.same("last entry", p.load(integration).Last, made)
			c := p.evidence(integration, 2)
			c.After = store.NewEntryID(time.Now())
			p.refused(c, store.ErrConflict)
			c.After = made
			p.same("receipt", p.commit(c), store.Committed{Version: 3, Entry: entry(c)})
		}
	}},
	{"Commit/after an entry, by many at once, succeeds once", func(p *probe) {
		c := p.grow("a", 1)[0]
		all := make([]store.Commit, 8)
		for i := range all {
			all[i] = p.evidence("a", 1)
			all[i].After = c.Entry.ID
		}
		p.together(len(all), func(i int) error {
			if _, err := p.s.Commit(context.WithoutCancel(p.Context()), all[i]); !errors.Is(err, store.ErrConflict) {
				return err
			}
			return nil
		})
		p.exactly(2, p.history("a"))
	}},
	{"Commit/that is repeated waits as the first did", func(p *probe) {
		if p.hold == nil {
			p.Skipf("the harness has no Hold")
		}
		named := []store.Commit{p.sealedEvidence("a", 0), p.evidence("", 0)}
		release := p.hold(p.s)
		defer func() { release() }()
		for _, c := range named {
			if err := p.cutOff(c, heldFor); err == nil {
				p.Fatalf("a commit does not wait although it is held: the harness proves nothing")
			}
			if err := p.cutOff(c, heldFor); err == nil {
				p.Errorf("a repetition of %q did not wait for what the commit waited for", c.Entry.Integration)
			}
		}
		release()
		release = func() {}
		for _, c := range named {
			e := entry(c)
			p.same("receipt", p.commit(c), store.Committed{Version: e.Version, Entry: e, Repeated: true})
		}
	}},
	{"Incarnation/stays the same, and is no other store's", func(p *probe) {
		first := p.incarnation(p.s)
		p.grow("a", 2)
		p.same("incarnation after commits", p.incarnation(p.s), first)
		if other := p.incarnation(p.another()); other == first || first == "" {
			p.Errorf("two stores have the incarnations %q and %q", first, other)
		}
	}},
	{"Incarnation/survives, and is shared", func(p *probe) {
		p.reopens()
		first := p.incarnation(p.s)
		if p.join != nil {
			p.same("incarnation of the same memory", p.incarnation(p.join(p.s)), first)
		}
		p.s = p.reopen(p.s)
		p.same("incarnation after it was opened again", p.incarnation(p.s), first)
	}},
	{"Renew/makes another incarnation each time, and changes nothing else", func(p *probe) {
		p.grow("a", 2)
		seen, want := map[string]bool{p.incarnation(p.s): true}, p.everything()
		for range 3 {
			p.is(p.s.Renew(p.Context()), nil, "Renew")
			now := p.incarnation(p.s)
			if seen[now] {
				p.Errorf("an incarnation came back")
			}
			seen[now] = true
			p.same("everything", p.everything(), want)
		}
	}},
}

// heldFor is how long a commit that is held is waited for.
const heldFor = 300 * time.Millisecond

func (p *probe) incarnation(s store.Store) string {
	p.Helper()
	name, err := s.Incarnation(p.Context())
	p.is(err, nil, "Incarnation")
	return name
}
