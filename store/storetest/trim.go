package storetest

import (
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/store"
)

// trimPromises are those about a journal that does not reach back to its beginning.
var trimPromises = []promise{
	{"Trim/removes the entries up to a version, and their bodies", func(p *probe) {
		all := p.grow("a", 5)
		for through := range uint64(6) {
			p.trim("a", through, []byte("base"))
			p.same("history", p.history("a"), entries(all[through:]...))
			p.same("journal", p.left(), entries(all[through:]...))
			for i, c := range all {
				want := c.Body
				if uint64(i) < through {
					want = nil
				}
				p.same("body", p.sealed(body(c)), want)
				_, err := receipt(p.Context(), p.s, c.Entry.ID)
				if gone := errors.Is(err, store.ErrNotFound); gone != (want == nil) {
					p.Errorf("a repetition of the commit to version %d: %v", i+1, err)
				}
			}
		}
	}},
	{"Trim/keeps the base from which the rest folds", func(p *probe) {
		all := p.grow("a", 4)
		want := stored(all[3])
		for _, through := range []uint64{0, 1, 3, 4} {
			want.BaseVersion, want.Base = through, nil
			if through > 0 {
				want.Base = all[through-1].Record
			}
			p.trim("a", through, want.Base)
			p.same("integration", p.load("a"), want)
		}
		next := p.evidence("a", 4)
		p.commit(next)
		want.Version, want.Last, want.Record = 5, next.Entry.ID, next.Record
		p.same("integration after the next commit", p.load("a"), want)
	}},
	{"Trim/keeps record, version, digests and tokens", func(p *probe) {
		all := p.grow("a", 3)
		p.trim("a", 3, all[2].Record)
		s := p.load("a")
		s.Base, s.BaseVersion = nil, 0
		p.same("integration", s, stored(all[2]))
		for _, c := range all {
			p.same("owner", p.owner(c.Claim[0].Digest), "a")
			p.same("token", p.sealed(token(c)), c.Claim[0].Sealed)
		}
		p.same("sealed values", len(p.refs()), 3)
	}},
	{"Trim/does nothing where a later base is kept", func(p *probe) {
		all := p.grow("a", 4)
		p.trim("a", 3, all[2].Record)
		want := p.everything()
		for through := range uint64(4) {
			p.trim("a", through, []byte("another"))
			p.same("everything", p.everything(), want)
		}
	}},
	{"Trim/removes the entry that came with Forget like any other", func(p *probe) {
		p.grow("a", 2)
		c := p.sealedEvidence("a", 2)
		c.Forget = true
		p.commit(c)
		for through := range uint64(3) {
			p.trim("a", through, []byte("another"))
			p.same("history", p.history("a"), entries(c))
		}
		p.trim("a", 3, c.Record)
		p.same("history", p.history("a"), []store.Entry{})
		want := stored(c)
		want.Base, want.BaseVersion = c.Record, 3
		p.same("integration", p.load("a"), want)
	}},
	{"Trim/of a version that was not reached is ErrInvalid, of no integration ErrNotFound", func(p *probe) {
		all := p.grow("a", 2)
		want := p.everything()
		p.is(p.s.Trim(p.Context(), "a", 3, all[1].Record), store.ErrInvalid, "Trim beyond the version")
		p.is(p.s.Trim(p.Context(), "b", 1, all[1].Record), store.ErrNotFound, "Trim of nothing")
		p.same("everything", p.everything(), want)
	}},
	{"Trim/leaves all other integrations alone", func(p *probe) {
		see := func() string {
			return fmt.Sprint(text(p.load("b")), text(p.history("b")), text(p.history("")), len(p.refs()))
		}
		p.grow("b", 2)
		nameless := p.evidence("", 0)
		p.commit(nameless)
		want := see()
		a := p.grow("a", 2)
		p.trim("a", 2, a[1].Record)
		p.is(p.s.Shred(p.Context(), token(a[0]), token(a[1])), nil, "Shred")
		p.same("others", see(), want)
	}},
	{"Trim/of the entries without an integration goes by position", func(p *probe) {
		var all []store.Commit
		for i := range uint64(3) {
			c := p.evidence("", 0)
			c.Body = secret("body")
			p.commit(c)
			p.commit(p.evidence("a", i))
			all = append(all, c)
		}
		at := p.exactly(6, p.journal(0))
		for i, c := range all {
			// The integration's entry just before it is no obstacle.
			p.trim("", uint64(at[2*i].Position), nil)
			p.same("nameless", p.history(""), entries(all[i+1:]...))
			p.same("integration", len(p.history("a")), 3)
			p.same("body", p.sealed(body(c)), []byte(nil))
		}
		p.same("sealed values", p.refs(), []store.Ref{})
	}},
	{"Trim/makes every earlier position ErrTrimmed, and no other", func(p *probe) {
		var at []store.Position
		for i := range uint64(3) {
			p.commit(p.evidence("a", i))
			p.commit(p.evidence("b", i))
		}
		all := p.exactly(6, p.journal(0))
		at = append(at, 0)
		for _, e := range all {
			at = append(at, e.Position)
		}
		p.trim("a", 2, []byte("base")) // the entries 0 and 2 of 6
		for i, after := range at {
			got, err := collect(p.s.Journal(p.Context(), after))
			if i < 3 {
				p.is(err, store.ErrTrimmed, fmt.Sprintf("after position %d of %d", i, len(at)))
				p.same("entries with the error", got, []store.Entry{})
				continue
			}
			p.is(err, nil, fmt.Sprintf("after position %d of %d", i, len(at)))
			p.same("entries", got, all[i:])
		}
	}},
	{"Bounds/stay true when entries are trimmed", func(p *probe) {
		for i := range uint64(3) {
			p.commit(p.evidence("a", i))
			p.commit(p.evidence("b", i))
		}
		all := p.exactly(6, p.journal(0))
		_, last := p.bounds()
		for i := range uint64(3) {
			p.trim("a", i+1, []byte("base"))
			first, end := p.bounds()
			p.same("bounds", []store.Position{first, end}, []store.Position{all[2*i].Position, last})
			p.journal(first)
		}
		p.trim("b", 3, []byte("base"))
		first, end := p.bounds()
		p.same("bounds of what is left", []store.Position{first, end}, []store.Position{last, last})
		p.same("what is left", p.journal(end), []store.Entry{})
		c := p.evidence("a", 3)
		p.commit(c)
		p.same("what follows", p.journal(end), entries(c))
		_, end = p.bounds()
		if end <= last {
			p.Errorf("position %d is given after position %d", end, last)
		}
	}},
	{"Journal/that Trim overtakes is complete or ends with ErrTrimmed", func(p *probe) {
		const n = 300
		for i := range uint64(n) {
			p.commit(p.evidence("a", i))
		}
		var seen int
		var ended error
		p.within("Journal", func() error {
			for _, err := range p.s.Journal(p.Context(), 0) {
				if err != nil {
					ended = err
				} else if seen++; seen == 1 {
					if err := p.s.Trim(p.Context(), "a", n, []byte("base")); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if ended == nil && seen != n || ended != nil && !errors.Is(ended, store.ErrTrimmed) {
			p.Errorf("%d of %d entries, then %v", seen, n, ended)
		}
	}},
}

func (p *probe) trim(integration string, through uint64, base []byte) {
	p.Helper()
	if err := p.s.Trim(p.Context(), integration, through, base); err != nil {
		p.Fatalf("Trim: %v", err)
	}
}
