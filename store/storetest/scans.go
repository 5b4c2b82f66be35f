package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/keyrack-dev/keyrack/store"
)

// scanPromises are those about reading integrations.
var scanPromises = []promise{
	{"Load/of an integration that is not there is ErrNotFound", func(p *probe) {
		p.grow("a", 1)
		for _, id := range []string{"", "b", "A", "a "} {
			_, err := p.s.Load(p.Context(), id)
			p.is(err, store.ErrNotFound, "Load")
		}
	}},
	{"Scan/yields every integration once, in byte order of their ids", func(p *probe) {
		p.same("empty store", p.scan(""), []store.Stored{})
		ids := append(similar(), many(300)...)
		slices.Sort(ids)
		var want []store.Stored
		for _, i := range rand.Perm(len(ids)) {
			c := p.evidence(ids[i], 0)
			p.commit(c)
			want = append(want, stored(c))
		}
		slices.SortFunc(want, func(a, b store.Stored) int {
			return slices.Index(ids, a.Integration) - slices.Index(ids, b.Integration)
		})
		p.same("integrations", p.scan(""), want)
	}},
	{"Scan/goes on after an id, there or not", func(p *probe) {
		ids := similar()
		for _, id := range ids {
			p.commit(p.evidence(id, 0))
		}
		for _, after := range append(ids, "0", "a!", "cafz", "\U0001f3e9") {
			var want []string
			for _, id := range ids {
				if id > after {
					want = append(want, id)
				}
			}
			p.same(fmt.Sprintf("after %q", after), names(p.scan(after)), want)
		}
	}},
	{"Scan/misses nothing that was there when it began, whatever comes meanwhile", func(p *probe) {
		ids := many(200)
		for _, id := range ids {
			p.commit(p.evidence(id, 0))
		}
		var seen []string
		p.within("Scan", func() error {
			for s, err := range p.s.Scan(p.Context(), "") {
				if err != nil {
					return err
				}
				seen = append(seen, s.Integration)
				if n := len(seen); n%20 == 1 && n < 400 {
					for _, c := range []store.Commit{
						p.evidence(ids[200-n/2-1], 1),    // changed, ahead
						p.evidence(s.Integration+"+", 0), // new, just ahead
						p.evidence("!"+s.Integration, 0), // new, behind
					} {
						if _, err := p.s.Commit(p.Context(), c); err != nil {
							return err
						}
					}
				}
			}
			return nil
		})
		if !slices.IsSorted(seen) || len(slices.Compact(slices.Clone(seen))) != len(seen) {
			p.Errorf("not every id came once and in order")
		}
		for _, id := range ids {
			if !slices.Contains(seen, id) {
				p.Errorf("%s was missed", id)
			}
		}
	}},
	{"Scan/shows each integration as Load does", func(p *probe) {
		all := p.grow("a", 3)
		p.is(p.s.Trim(p.Context(), "a", 2, all[1].Record), nil, "Trim")
		p.grow("b", 1)
		for _, s := range p.scan("") {
			p.same("integration", s, p.load(s.Integration))
		}
		p.same("integrations", names(p.scan("")), []string{"a", "b"})
	}},
	{"Load/shows no integration whose commits were all refused", func(p *probe) {
		p.refused(p.evidence("a", 5), store.ErrConflict)
		_, err := p.s.Load(p.Context(), "a")
		if !errors.Is(err, store.ErrNotFound) || len(p.scan("")) > 0 {
			p.Errorf("there is an integration: %v", err)
		}
	}},
}

// many returns n ids in byte order.
func many(n int) []string {
	ids := make([]string, n)
	for i := range ids {
		ids[i] = fmt.Sprintf("many-%04d", i)
	}
	return ids
}

func names(all []store.Stored) []string {
	var ids []string
	for _, s := range all {
		ids = append(ids, s.Integration)
	}
	return ids
}
