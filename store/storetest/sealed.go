package storetest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/store"
)

// sealedPromises are those about sealed values: tokens, bodies, and those of the
// application that have a name.
var sealedPromises = []promise{
	{"Sealed/returns bodies and tokens as they were committed", func(p *probe) {
		for _, c := range append(p.grow("a", 2), p.grow("b", 2)...) {
			p.same("body", p.sealed(body(c)), c.Body)
			p.same("token", p.sealed(token(c)), c.Claim[0].Sealed)
		}
	}},
	{"Sealed/of what is not there is ErrNotFound", func(p *probe) {
		c := p.grow("a", 1)[0]
		bare := p.evidence("b", 0)
		bare.Claim = []store.Claim{{Digest: p.digest()}}
		p.commit(bare)
		p.named("name", secret("named"))
		for what, ref := range map[string]store.Ref{
			"nothing":                     {},
			"an entry without a body":     body(bare),
			"an entry that is not there":  {Entry: p.evidence("a", 1).Entry.ID},
			"a digest without a token":    token(bare),
			"a digest of nobody's":        {Integration: "a", Digest: p.digest()},
			"a digest of another's":       {Integration: "b", Digest: c.Claim[0].Digest},
			"a digest without its owner":  {Digest: c.Claim[0].Digest},
			"an integration alone":        {Integration: "a"},
			"a name that is not there":    {Name: "Name"},
			"a name and an entry":         {Name: "name", Entry: c.Entry.ID},
			"an entry and an integration": {Entry: c.Entry.ID, Integration: "a"},
			"a name and a token":          {Name: "name", Integration: "a", Digest: c.Claim[0].Digest},
		} {
			_, err := p.s.Sealed(p.Context(), ref)
			p.is(err, store.ErrNotFound, what)
		}
	}},
	{"ScanSealed/yields the address of every sealed value once", func(p *probe) {
		p.same("empty store", p.refs(), []store.Ref{})
		var want []store.Ref
		add := func(c store.Commit) {
			p.commit(c)
			want = append(want, body(c))
			for _, claim := range c.Claim {
				if claim.Sealed != nil {
					want = append(want, store.Ref{Integration: c.Entry.Integration, Digest: claim.Digest})
				}
			}
		}
		for _, id := range many(50) {
			for i := range uint64(3) {
				c := p.sealedEvidence(id, i)
				c.Claim = append(c.Claim, store.Claim{Digest: p.digest()})
				add(c)
			}
			nameless := p.evidence("", 0)
			nameless.Body = secret("body")
			add(nameless)
			p.commit(p.evidence(id, 3)) // with nothing sealed
		}
		for _, name := range []string{"one", "two"} {
			p.named(name, secret(name))
			want = append(want, store.Ref{Name: name})
		}
		p.same("addresses", byText(p.refs()), byText(want))
	}},
	{"Names/yields those that begin with a prefix, in byte order", func(p *probe) {
		p.grow("a letter", 2)
		p.same("names where there is none", list(p, "Names", p.s.Names(p.Context(), "")), []string{})
		var letters []string
		for i := range 300 { // more than a page of any store
			letters = append(letters, fmt.Sprintf("letter %03d", i))
		}
		others := []string{"Letter 1", "let", "letter", "letter ", "lettes", "a", "ä", "zz", "letter_1", "letter%"}
		for _, name := range append(others, letters...) {
			p.named(name, secret(name))
		}
		p.s.Shred(p.Context(), store.Ref{Name: letters[7]})
		letters = slices.Delete(letters, 7, 8)
		all := slices.Sorted(slices.Values(append(others, letters...)))
		for _, prefix := range []string{"", "letter ", "letter 29", "letter_", "letter%", "let", "Letter", "ä", "zzz", "b", "letter 007"} {
			var want []string
			for _, name := range all {
				if strings.HasPrefix(name, prefix) {
					want = append(want, name)
				}
			}
			p.same(fmt.Sprintf("names with %q", prefix), list(p, "Names", p.s.Names(p.Context(), prefix)), want)
		}
	}},
	{"Reseal/replaces the value that it knows", func(p *probe) {
		c := p.grow("a", 1)[0]
		p.named("name", c.Body)
		for _, ref := range []store.Ref{body(c), token(c), {Name: "name"}} {
			for range 2 {
				next := secret("resealed")
				p.is(p.s.Reseal(p.Context(), ref, p.sealed(ref), next), nil, "Reseal")
				p.same("value", p.sealed(ref), next)
			}
		}
		p.same("addresses", len(p.refs()), 3)
	}},
	{"Reseal/leaves a value that is another by now", func(p *probe) {
		c := p.grow("a", 1)[0]
		p.named("name", secret("named"))
		for _, ref := range []store.Ref{body(c), token(c), {Name: "name"}} {
			value := p.sealed(ref)
			for _, old := range [][]byte{nil, secret("old"), value[:len(value)-1], append(slices.Clone(value), 0)} {
				p.is(p.s.Reseal(p.Context(), ref, old, secret("new")), nil, "Reseal")
				p.same("value", p.sealed(ref), value)
			}
		}
	}},
	{"Reseal/adds nothing but a value with a name", func(p *probe) {
		c := p.grow("a", 1)[0]
		values := [][]byte{c.Body, c.Claim[0].Sealed}
		refs := []store.Ref{body(c), token(c)}
		p.is(p.s.Shred(p.Context(), refs...), nil, "Shred")
		for i, ref := range append(refs,
			store.Ref{}, store.Ref{Entry: p.evidence("a", 1).Entry.ID}, store.Ref{Integration: "a", Digest: p.digest()},
			store.Ref{Name: "name", Integration: "a"}) {
			p.is(p.s.Reseal(p.Context(), ref, values[i%2], secret("new")), nil, "Reseal")
			p.is(p.s.Reseal(p.Context(), ref, nil, secret("new")), nil, "Reseal with a nil old")
		}
		p.is(p.s.Reseal(p.Context(), store.Ref{Name: "name"}, secret("old"), secret("new")), nil, "Reseal of a name")
		p.same("addresses", p.refs(), []store.Ref{})
		value := secret("named")
		p.named("name", value)
		p.named("other", secret("named"))
		p.same("value", p.sealed(store.Ref{Name: "name"}), value)
		p.same("addresses", byText(p.refs()), []store.Ref{{Name: "name"}, {Name: "other"}})
	}},
	{"Reseal/with a nil new is ErrInvalid and erases nothing", func(p *probe) {
		c := p.grow("a", 1)[0]
		p.is(p.s.Reseal(p.Context(), body(c), c.Body, nil), store.ErrInvalid, "Reseal")
		p.is(p.s.Reseal(p.Context(), store.Ref{Name: "name"}, nil, []byte{}), store.ErrInvalid, "Reseal")
		p.same("body", p.sealed(body(c)), c.Body)
		p.same("addresses", len(p.refs()), 2)
	}},
	{"Reseal/by many at once adds a name once, and replaces it in turn", func(p *probe) {
		for round := range 20 {
			ref := store.Ref{Name: many(20)[round]}
			seen := make([]string, 8)
			p.together(len(seen), func(i int) error {
				ctx := context.WithoutCancel(p.Context())
				if err := p.s.Reseal(ctx, ref, nil, secret("named")); err != nil {
					return err
				}
				value, err := p.s.Sealed(ctx, ref)
				seen[i] = text(value)
				return err
			})
			if slices.Sort(seen); seen[0] != seen[len(seen)-1] {
				p.Errorf("a value that was there already was replaced")
			}
			p.same("value", text(p.sealed(ref)), seen[0])
		}
	}},
	{"Shred/erases the values, and leaves digests and entries", func(p *probe) {
		all := p.grow("a", 2)
		p.named("name", secret("named"))
		p.is(p.s.Shred(p.Context(), body(all[0]), token(all[0]), store.Ref{Name: "name"}), nil, "Shred")
		p.same("addresses", byText(p.refs()), byText([]store.Ref{body(all[1]), token(all[1])}))
		for _, ref := range []store.Ref{body(all[0]), token(all[0]), {Name: "name"}} {
			p.same("erased value", p.sealed(ref), []byte(nil))
		}
		for _, c := range all {
			p.same("owner", p.owner(c.Claim[0].Digest), "a")
		}
		p.same("history", p.history("a"), entries(all...))
		p.same("integration", p.load("a"), stored(all[1]))
		p.same("body", p.sealed(body(all[1])), all[1].Body)
		p.same("token", p.sealed(token(all[1])), all[1].Claim[0].Sealed)

		other := p.evidence("b", 0)
		other.Claim = []store.Claim{{Digest: all[0].Claim[0].Digest}}
		p.refused(other, store.ErrOwned)
	}},
	{"Shred/passes over what is not there", func(p *probe) {
		c := p.grow("a", 1)[0]
		p.named("name", secret("named"))
		d := c.Claim[0].Digest
		p.is(p.s.Shred(p.Context()), nil, "Shred nothing")
		p.is(p.s.Shred(p.Context(), store.Ref{}, store.Ref{Name: "Name"}, store.Ref{Integration: "b", Digest: d},
			store.Ref{Digest: d}, store.Ref{Integration: "a"}, store.Ref{Entry: p.evidence("a", 1).Entry.ID},
			store.Ref{Name: "name", Entry: c.Entry.ID}), nil, "Shred")
		p.same("addresses", len(p.refs()), 3)
		p.is(p.s.Shred(p.Context(), store.Ref{}, body(c)), nil, "Shred")
		p.same("addresses", byText(p.refs()), byText([]store.Ref{token(c), {Name: "name"}}))
	}},
}

// named adds a sealed value with a name.
func (p *probe) named(name string, value []byte) {
	p.Helper()
	if err := p.s.Reseal(p.Context(), store.Ref{Name: name}, nil, value); err != nil {
		p.Fatalf("Reseal: %v", err)
	}
}

// byText returns values in an order that is unrelated to the store's.
func byText(refs []store.Ref) []store.Ref {
	return slices.SortedFunc(slices.Values(refs), func(a, b store.Ref) int {
		switch x, y := text(a), text(b); {
		case x < y:
			return -1
		case x > y:
			return 1
		}
		return 0
	})
}
