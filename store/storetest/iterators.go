package storetest

import (
	"context"
	"fmt"
	"iter"

	"github.com/keyrack-dev/keyrack/store"
)

// iteratorPromises are those about the four methods that return iterators.
var iteratorPromises = []promise{
	{"Iterator/may be broken off", func(p *probe) {
		p.populate(200)
		p.within("breaking off", func() error {
			for what, seq := range p.iterators(p.Context()) {
				for range 3 {
					for _, err := range seq {
						if err != nil {
							return fmt.Errorf("%s: %w", what, err)
						}
						break
					}
				}
			}
			_, err := p.s.Commit(p.Context(), p.evidence("after", 0))
			return err
		})
	}},
	{"Iterator/begins when it is ranged over, each time anew", func(p *probe) {
		all := p.iterators(p.Context())
		p.populate(5)
		for what, seq := range all {
			first, second := list(p, what, seq), list(p, what, seq)
			p.same(what+", the number of values", []int{len(first), len(second)}, []int{p.count(what), p.count(what)})
		}
	}},
	{"Iterator/lets its consumer call the store meanwhile", func(p *probe) {
		p.populate(20)
		ctx := p.Context()
		for what, seq := range p.iterators(ctx) {
			p.within(what, func() error {
				n := 0
				for _, err := range seq {
					if err != nil {
						return err
					}
					n++
					id := fmt.Sprint(what, n)
					if _, err := p.s.Commit(ctx, p.evidence("!"+id, 0)); err != nil {
						return fmt.Errorf("in Commit: %w", err)
					}
					if _, err := p.s.Load(ctx, "!"+id); err != nil {
						return fmt.Errorf("in Load: %w", err)
					}
					if err := p.s.Trim(ctx, "!"+id, 0, nil); err != nil {
						return fmt.Errorf("in Trim: %w", err)
					}
					if err := p.s.Reseal(ctx, store.Ref{Name: id}, nil, []byte("named")); err != nil {
						return fmt.Errorf("in Reseal: %w", err)
					}
					if err := p.s.Shred(ctx, store.Ref{Name: id}); err != nil {
						return fmt.Errorf("in Shred: %w", err)
					}
				}
				if n < 20 {
					return fmt.Errorf("ends after %d values, without an error", n)
				}
				return nil
			})
		}
	}},
	{"Iterator/may be ranged over within another", func(p *probe) {
		p.populate(5)
		all := p.iterators(p.Context())
		for what, outer := range all {
			p.within(what, func() error {
				for _, err := range outer {
					if err != nil {
						return err
					}
					for within, inner := range all {
						if seen, err := collect(inner); err != nil || len(seen) != p.count(within) {
							return fmt.Errorf("%d values of %s, error %w", len(seen), within, err)
						}
					}
				}
				return nil
			})
		}
	}},
	{"Iterator/that has no error is complete, though its context ends", func(p *probe) {
		p.populate(200)
		for what := range p.iterators(p.Context()) {
			ctx, cancel := context.WithCancel(p.Context())
			seen := 0
			var ended error
			for _, err := range p.iterators(ctx)[what] {
				if ended != nil {
					p.Errorf("%s goes on after its error", what)
				}
				if ended = err; err == nil {
					seen++
				}
				cancel()
			}
			cancel()
			if ended == nil && seen != p.count(what) {
				p.Errorf("%s ends after %d of %d values, without an error", what, seen, p.count(what))
			}
		}
	}},
}

// populate commits n entries with bodies about n integrations, and n about one of them, and
// adds n values with names.
func (p *probe) populate(n int) {
	p.Helper()
	for i, id := range many(n) {
		c := p.evidence(id, 0)
		c.Body = secret("body")
		p.commit(c)
		if i > 0 {
			p.commit(p.evidence(many(1)[0], uint64(i)))
		}
		p.named("populated "+id, secret("name"))
	}
	p.populated = n
}

// iterators returns one of each, over what populate has committed.
func (p *probe) iterators(ctx context.Context) map[string]iter.Seq2[any, error] {
	return map[string]iter.Seq2[any, error]{
		"Scan":       anything(p.s.Scan(ctx, "")),
		"Journal":    anything(p.s.Journal(ctx, 0)),
		"History":    anything(p.s.History(ctx, many(1)[0], store.EntryID{})),
		"Names":      anything(p.s.Names(ctx, "populated ")),
		"ScanSealed": anything(p.s.ScanSealed(ctx)),
	}
}

// count returns how many values an iterator yields after populate.
func (p *probe) count(iterator string) int {
	switch iterator {
	case "Journal":
		return 2*p.populated - 1
	case "ScanSealed":
		return 2 * p.populated
	}
	return p.populated
}

func anything[T any](seq iter.Seq2[T, error]) iter.Seq2[any, error] {
	return func(yield func(any, error) bool) {
		for v, err := range seq {
			if !yield(v, err) {
				return
			}
		}
	}
}
