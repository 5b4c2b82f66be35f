package storetest

import (
	"fmt"

	"github.com/keyrack-dev/keyrack/store"
)

// forgetPromises are those about commits that erase what came before them.
var forgetPromises = []promise{
	{"EraseBodies/erases the bodies of all earlier entries, and nothing else", func(p *probe) {
		others := append(p.grow("b", 2), p.evidence("", 0))
		others[2].Body = secret("body")
		p.commit(others[2])
		all := p.grow("a", 3)
		c := p.sealedEvidence("a", 3)
		c.EraseBodies = true
		p.commit(c)
		for _, old := range all {
			p.same("erased body", p.sealed(body(old)), []byte(nil))
			p.same("token", p.sealed(token(old)), old.Claim[0].Sealed)
		}
		p.same("own body", p.sealed(body(c)), c.Body)
		for _, other := range others {
			p.same("body of another", p.sealed(body(other)), other.Body)
		}
		p.same("sealed values", len(p.refs()), 1+4+2+3)
		p.same("history", p.history("a"), entries(append(all, c)...))
		p.same("integration", p.load("a"), stored(c))
	}},
	{"Forget/erases all earlier entries, bodies, digests and tokens of the integration", func(p *probe) {
		all := p.grow("a", 3)
		c := p.evidence("a", 3)
		c.Forget = true
		p.commit(c)
		p.same("history", p.history("a"), entries(c))
		p.same("journal", p.left(), entries(c))
		p.same("sealed values", p.refs(), []store.Ref{})
		for _, old := range all {
			p.same("owner", p.owner(old.Claim[0].Digest), "")
			p.same("body", p.sealed(body(old)), []byte(nil))
			p.same("token", p.sealed(token(old)), []byte(nil))
			_, err := receipt(p.Context(), p.s, old.Entry.ID)
			p.is(err, store.ErrNotFound, "a repetition")
		}
		again := p.evidence("b", 0)
		for _, old := range all {
			again.Claim = append(again.Claim, store.Claim{Digest: old.Claim[0].Digest})
		}
		p.commit(again)
	}},
	{"Forget/keeps what comes with it", func(p *probe) {
		all := p.grow("a", 2)
		c := p.sealedEvidence("a", 2)
		c.Forget = true
		c.Claim = append(c.Claim,
			store.Claim{Digest: all[0].Claim[0].Digest},                          // keeps the digest, not the token
			store.Claim{Digest: all[1].Claim[0].Digest, Sealed: secret("token")}) // both
		r := p.commit(c)
		p.same("receipt", r, store.Committed{Version: 3, Entry: entry(c)})
		for _, claim := range c.Claim {
			p.same("owner", p.owner(claim.Digest), "a")
			p.same("token", p.sealed(store.Ref{Integration: "a", Digest: claim.Digest}), claim.Sealed)
		}
		p.same("body", p.sealed(body(c)), c.Body)
		p.same("sealed values", len(p.refs()), 3)
		p.same("repetition", p.commit(c), store.Committed{Version: 3, Entry: entry(c), Repeated: true})
	}},
	{"Forget/makes its record the base of what follows", func(p *probe) {
		p.grow("a", 2)
		c := p.evidence("a", 2)
		c.Forget = true
		p.commit(c)
		want := stored(c)
		want.Base, want.BaseVersion = c.Record, 3
		p.same("integration", p.load("a"), want)
		next := p.evidence("a", 3)
		p.commit(next)
		want.Version, want.Last, want.Record = 4, next.Entry.ID, next.Record
		p.same("integration after the next commit", p.load("a"), want)

		first := p.evidence("b", 0)
		first.Forget = true
		p.commit(first)
		want = stored(first)
		want.Base, want.BaseVersion = first.Record, 1
		p.same("integration that begins with Forget", p.load("b"), want)
	}},
	{"Forget/is passed over by readers of the journal", func(p *probe) {
		p.grow("a", 1)
		b := p.grow("b", 1)
		p.commit(p.evidence("a", 1))
		from := p.exactly(3, p.journal(0))
		c := p.evidence("a", 2)
		c.Forget = true
		p.commit(c)
		want := entries(append(b, c)...)
		p.same("from the beginning", p.journal(0), want)
		for i, e := range from {
			p.same(fmt.Sprintf("after entry %d", i), p.journal(e.Position), want[min(i, 1):])
		}
		first, last := p.bounds()
		p.same("bounds", []store.Position{first, last}, []store.Position{0, p.position(c.Entry.ID)})
	}},
	{"Forget/leaves all other integrations alone", func(p *probe) {
		see := func() string {
			return fmt.Sprint(text(p.load("b")), text(p.history("b")), text(p.history("")), p.refs())
		}
		b := p.grow("b", 2)
		p.commit(p.evidence("", 0))
		want := see()
		p.grow("a", 2)
		c := p.evidence("a", 2)
		c.Forget = true
		p.commit(c)
		p.same("others", see(), want)
		p.same("owner", p.owner(b[0].Claim[0].Digest), "b")
	}},
}
