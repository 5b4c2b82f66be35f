package storetest

import (
	"fmt"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// journalPromises are those about the order of all entries.
var journalPromises = []promise{
	{"Journal/yields every entry once, in order of positions above 0", func(p *probe) {
		var want []store.Entry
		for i := range uint64(5) {
			for _, integration := range []string{"a", "b", ""} {
				c := p.evidence(integration, i)
				if integration == "" {
					c.Expect = 0
				}
				p.commit(c)
				want = append(want, entry(c))
			}
		}
		got := p.journal(0)
		p.ordered(got)
		p.same("entries, whatever their order", byID(got), byID(want))
		p.same("again", positions(p.journal(0)), positions(got))
	}},
	{"Journal/has the entries of one integration in order of their versions", func(p *probe) {
		for i := range uint64(50) {
			p.commit(p.evidence("a", i))
			p.commit(p.evidence("b", i))
		}
		versions := map[string]uint64{}
		for _, e := range p.journal(0) {
			if e.Version != versions[e.Integration]+1 {
				p.Errorf("version %d of %q comes after version %d", e.Version, e.Integration, versions[e.Integration])
			}
			versions[e.Integration] = e.Version
		}
	}},
	{"Journal/goes on from every position without gap or repetition", func(p *probe) {
		const n = 300
		for range n {
			p.commit(p.evidence("", 0))
		}
		all := p.exactly(n, p.journal(0))
		p.ordered(all)
		for i := 0; i < len(all); i += 1 + i/3 {
			p.same(fmt.Sprintf("after entry %d", i), positions(p.journal(all[i].Position)), positions(all[i+1:]))
		}
	}},
	{"Journal/has an entry as soon as its commit has returned", func(p *probe) {
		var last store.Position
		for i := range uint64(20) {
			c := p.evidence("a", i)
			p.commit(c)
			news := p.exactly(1, p.journal(last))
			p.same("news", news, entries(c))
			last = news[0].Position
		}
	}},
	{"Journal/after its end is empty", func(p *probe) {
		p.same("empty store", p.journal(0), []store.Entry{})
		p.same("empty store, beyond the end", p.journal(7), []store.Entry{})
		p.grow("a", 2)
		_, last := p.bounds()
		p.same("at the end", p.journal(last), []store.Entry{})
		p.same("beyond the end", p.journal(last+1000), []store.Entry{})
	}},
	{"Journal/ends with what was there when it began", func(p *probe) {
		p.grow("a", 3)
		n := 0
		p.within("Journal", func() error {
			for _, err := range p.s.Journal(p.Context(), 0) {
				if err != nil || n > 3 {
					return err
				}
				if _, err := p.s.Commit(p.Context(), p.evidence("a", uint64(3+n))); err != nil {
					return err
				}
				n++
			}
			return nil
		})
		p.same("entries", n, 3)
	}},
	{"Bounds/are where the journal can be followed from, and its newest entry", func(p *probe) {
		first, last := p.bounds()
		p.same("empty store", []store.Position{first, last}, []store.Position{0, 0})
		for i := range uint64(3) {
			p.commit(p.evidence("a", i))
			all := p.exactly(int(i)+1, p.journal(0))
			first, last = p.bounds()
			p.same("bounds", []store.Position{first, last}, []store.Position{0, all[i].Position})
		}
	}},
}

// historyPromises are those about the entries of one integration and their annotations.
var historyPromises = []promise{
	{"History/yields the entries of one integration, oldest first", func(p *probe) {
		want := map[string][]store.Entry{}
		for i := range uint64(150) {
			for _, integration := range []string{"a", "b", ""} {
				c := p.evidence(integration, i)
				if integration == "" {
					c.Expect = 0
				}
				p.commit(c)
				want[integration] = append(want[integration], entry(c))
			}
		}
		for integration, entries := range want {
			p.same(fmt.Sprintf("history of %q", integration), p.history(integration), entries)
		}
	}},
	{"History/of an integration that is not there is empty", func(p *probe) {
		p.same("nameless", p.history(""), []store.Entry{})
		p.grow("a", 1)
		for _, id := range []string{"", "b", "A"} {
			p.same(id, p.history(id), []store.Entry{})
		}
	}},
	{"History/goes on after any of its entries", func(p *probe) {
		const n = 330 // more than a page of any store
		all := map[string][]store.Entry{}
		for i := range uint64(n) {
			for _, integration := range []string{"a", "b", ""} {
				c := p.evidence(integration, i)
				if integration == "" {
					if c.Expect = 0; i%7 > 0 {
						continue
					}
				}
				p.commit(c)
				all[integration] = append(all[integration], entry(c))
			}
		}
		check := func(integration string) {
			p.Helper()
			entries := all[integration]
			for i := range entries {
				if i > 2 && i < len(entries)-3 && i%63 > 1 { // around the ends of pages, whatever they are
					continue
				}
				got := list(p, "History", p.s.History(p.Context(), integration, entries[i].ID))
				p.same(fmt.Sprintf("history of %q after entry %d", integration, i), got, entries[i+1:])
			}
		}
		for integration := range all {
			check(integration)
		}
		p.trim("a", 121, []byte(`{"record":121}`))
		gone := all["a"][100].ID
		all["a"] = all["a"][121:]
		check("a")
		for what, after := range map[string]store.EntryID{
			"that was trimmed": gone, "of another": all["b"][200].ID, "of none": all[""][40].ID, "that nobody knows": store.NewEntryID(time.Now()),
		} {
			p.same("history of a after an entry "+what, list(p, "History", p.s.History(p.Context(), "a", after)), all["a"])
		}
		p.same("history of none after an entry of one", list(p, "History", p.s.History(p.Context(), "", all["b"][200].ID)), all[""])
	}},
	{"History/gives the journal's positions, or none yet", func(p *probe) {
		p.grow("a", 3)
		p.grow("b", 3)
		at := map[store.EntryID]store.Position{}
		for _, e := range p.journal(0) {
			at[e.ID] = e.Position
		}
		for _, e := range append(p.history("a"), p.history("b")...) {
			if e.Position != 0 && e.Position != at[e.ID] {
				p.Errorf("position %d, and %d in the journal", e.Position, at[e.ID])
			}
			r, err := receipt(p.Context(), p.s, e.ID)
			if err != nil || r.Entry.Position != 0 && r.Entry.Position != at[e.ID] {
				p.Errorf("position %d in the receipt, and %d in the journal: %v", r.Entry.Position, at[e.ID], err)
			}
		}
	}},
	{"Annotate/notes how the deliveries of these entries were answered, and nothing else", func(p *probe) {
		all := p.grow("a", 3)
		all = append(all, p.evidence("", 0))
		p.commit(all[3])
		for i, answer := range []store.Response{{Status: 204, Took: 1234567}, {Status: 503, Took: 1}, {Status: 204}} {
			for _, j := range []int{i, 3} {
				all[j].Entry.Response = answer
			}
			p.is(p.s.Annotate(p.Context(),
				store.Annotation{ID: all[i].Entry.ID, Response: answer},
				store.Annotation{ID: all[3].Entry.ID, Response: answer}), nil, "Annotate")
			p.same("journal", byID(p.journal(0)), byID(entries(all...)))
			p.same("history", p.history("a"), entries(all[:3]...))
			p.same("nameless", p.history(""), entries(all[3]))
			p.same("receipt", p.commit(all[i]).Entry, entry(all[i]))
		}
		p.same("integration", p.load("a"), stored(all[2]))
	}},
	{"Annotate/passes over entries that are not there", func(p *probe) {
		all := p.grow("a", 2)
		p.is(p.s.Trim(p.Context(), "a", 1, all[0].Record), nil, "Trim")
		answer := store.Response{Status: 204, Took: 5}
		p.is(p.s.Annotate(p.Context()), nil, "Annotate nothing")
		p.is(p.s.Annotate(p.Context(),
			store.Annotation{ID: all[0].Entry.ID, Response: answer},
			store.Annotation{ID: p.evidence("a", 2).Entry.ID, Response: answer},
			store.Annotation{ID: all[1].Entry.ID, Response: answer}), nil, "Annotate")
		all[1].Entry.Response = answer
		p.same("history", p.history("a"), entries(all[1]))
	}},
}

// ordered checks that positions are above 0 and increase.
func (p *probe) ordered(all []store.Entry) {
	p.Helper()
	var last store.Position
	for _, e := range all {
		if e.Position <= last {
			p.Errorf("position %d comes after %d", e.Position, last)
		}
		last = e.Position
	}
}

func positions(all []store.Entry) []store.Position {
	at := make([]store.Position, len(all))
	for i, e := range all {
		at[i] = e.Position
	}
	return at
}

// byID returns the entries in an order that is unrelated to the store's.
func byID(all []store.Entry) []store.Entry {
	return slices.SortedFunc(slices.Values(all), func(a, b store.Entry) int { return slices.Compare(a.ID[:], b.ID[:]) })
}
