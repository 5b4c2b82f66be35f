package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// digestPromises are those about who owns a digest.
var digestPromises = []promise{
	{"Owner/is the integration whose commit claimed the digest", func(p *probe) {
		c := p.evidence("a", 0)
		c.Claim = []store.Claim{{Digest: p.digest(), Sealed: secret("token")}, {Digest: p.digest()}}
		p.commit(c)
		p.commit(p.evidence("a", 1))
		for _, claim := range c.Claim {
			p.same("owner", p.owner(claim.Digest), "a")
		}
	}},
	{"Owner/of a digest that nobody claimed is ErrNotFound", func(p *probe) {
		p.grow("a", 1)
		for _, d := range []lifecycle.Digest{{}, p.digest()} {
			_, err := p.s.Owner(p.Context(), d)
			p.is(err, store.ErrNotFound, "Owner")
		}
	}},
	{"Claim/of a digest that another integration owns is ErrOwned and changes nothing", func(p *probe) {
		first := p.grow("first", 1)[0]
		p.grow("second", 1)
		d := first.Claim[0].Digest
		for _, c := range []store.Commit{p.sealedEvidence("second", 1), p.sealedEvidence("third", 0)} {
			c.EraseBodies = true
			c.Claim = append(c.Claim, store.Claim{Digest: d, Sealed: secret("token")}, store.Claim{Digest: p.digest()})
			p.refused(c, store.ErrOwned)
		}
		if _, err := p.s.Load(p.Context(), "third"); !errors.Is(err, store.ErrNotFound) {
			p.Errorf("a refused commit created an integration: %v", err)
		}
	}},
	{"Claim/that is refused names the digest and its owner", func(p *probe) {
		d := p.grow("first", 1)[0].Claim[0].Digest
		c := p.evidence("second", 0)
		c.Claim = []store.Claim{{Digest: p.digest()}, {Digest: d}}
		_, err := p.s.Commit(p.Context(), c)
		var owned *store.OwnedError
		if !errors.As(err, &owned) {
			p.Fatalf("Commit: %v, which wraps no *OwnedError", err)
		}
		p.same("owner", owned.Owner, "first")
		p.same("digest", owned.Digest[:], d[:])
	}},
	{"Claim/of an own digest leaves its token, or replaces it where it brings one", func(p *probe) {
		c := p.grow("a", 1)[0]
		again := p.evidence("a", 1)
		again.Claim = []store.Claim{{Digest: c.Claim[0].Digest}}
		p.commit(again)
		p.same("token", p.sealed(token(c)), c.Claim[0].Sealed)
		again = p.evidence("a", 2)
		again.Claim = []store.Claim{{Digest: c.Claim[0].Digest, Sealed: secret("token")}}
		p.commit(again)
		p.same("token", p.sealed(token(c)), again.Claim[0].Sealed)
		p.same("owner", p.owner(c.Claim[0].Digest), "a")
		p.same("tokens", len(tokens(p.refs())), 1)
	}},
	{"Claim/by many at once has one winner", func(p *probe) {
		for round := range 20 {
			d := p.digest()
			var winner atomic.Pointer[string]
			all := make([]store.Commit, 8)
			for i := range all {
				all[i] = p.evidence(fmt.Sprintf("%d-%d", round, i), 0)
				all[i].Claim = []store.Claim{{Digest: d}}
			}
			p.together(len(all), func(i int) error {
				_, err := p.s.Commit(context.WithoutCancel(p.Context()), all[i])
				switch {
				case err == nil:
					if !winner.CompareAndSwap(nil, &all[i].Entry.Integration) {
						return errors.New("two integrations claimed one digest")
					}
				case !errors.Is(err, store.ErrOwned):
					return err
				}
				return nil
			})
			if won := winner.Load(); won == nil {
				p.Errorf("nobody won")
			} else {
				p.same("owner", p.owner(d), *won)
			}
		}
	}},
	{"Disown/frees the digest and erases its token", func(p *probe) {
		all := p.grow("a", 2)
		c := p.evidence("a", 2)
		c.Disown = []lifecycle.Digest{all[0].Claim[0].Digest}
		p.commit(c)
		p.same("owner", p.owner(c.Disown[0]), "")
		p.same("token", p.sealed(token(all[0])), []byte(nil))
		p.same("other owner", p.owner(all[1].Claim[0].Digest), "a")
		p.same("other token", p.sealed(token(all[1])), all[1].Claim[0].Sealed)
		p.same("tokens", tokens(p.refs()), []store.Ref{token(all[1])})

		other := p.evidence("b", 0)
		other.Claim = []store.Claim{{Digest: c.Disown[0]}}
		p.commit(other)
		p.same("new owner", p.owner(c.Disown[0]), "b")
		p.same("token of the new owner", p.sealed(token(other)), []byte(nil))
	}},
	{"Disown/of what the integration does not own is passed over", func(p *probe) {
		theirs := p.grow("b", 1)[0]
		c := p.evidence("a", 0)
		c.Disown = []lifecycle.Digest{theirs.Claim[0].Digest, p.digest()}
		p.commit(c)
		p.same("owner", p.owner(theirs.Claim[0].Digest), "b")
		p.same("token", p.sealed(token(theirs)), theirs.Claim[0].Sealed)
	}},
}

// tokens returns the addresses of tokens among those of other values.
func tokens(refs []store.Ref) []store.Ref {
	var out []store.Ref
	for _, ref := range refs {
		if ref.Digest != (lifecycle.Digest{}) {
			out = append(out, ref)
		}
	}
	return out
}
