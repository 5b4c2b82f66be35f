package storetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/keyrack-dev/keyrack/store"
)

// concurrentPromises are those about when others see a commit.
var concurrentPromises = []promise{
	// For every way in which a commit can be seen, a reader waits until it sees the
	// commit in that way and then looks in all others, each time starting with another
	// one. This catches a store that commits in two transactions, since the second
	// comes soon.
	{"Commit/becomes visible as a whole", func(p *probe) {
		ctx := context.WithoutCancel(p.Context())
		for round := range uint64(64) {
			c := p.sealedEvidence("a", round)
			committed := make(chan struct{})
			p.together(len(ways)+1, func(i int) error {
				if i == len(ways) {
					defer close(committed)
					runtime.Gosched()
					_, err := p.s.Commit(ctx, c)
					return err
				}
				for last := false; ; runtime.Gosched() {
					seen, err := ways[i].see(ctx, p.s, c)
					if err != nil {
						return fmt.Errorf("%s: %w", ways[i].name, err)
					}
					if seen {
						return seenAll(ctx, p.s, c, i, int(round))
					}
					if last {
						return fmt.Errorf("%s does not show a commit that has returned", ways[i].name)
					}
					select {
					case <-committed:
						last = true
					default:
					}
				}
			})
		}
	}},
	{"Journal/never shows an entry before one that a reader was given already", func(p *probe) {
		const writers, each = 4, 40
		ctx := context.WithoutCancel(p.Context())
		all := make([]store.Commit, writers*each)
		for i := range all {
			integration, version := i/each, i%each
			all[i] = p.evidence(fmt.Sprint("writer ", integration), uint64(version))
			all[i].Body = make([]byte, 1+i*i%997*20) // some commits take longer
		}
		readers := make([][]store.EntryID, 2)
		var writing sync.WaitGroup
		writing.Add(writers)
		done := make(chan struct{})
		go func() { writing.Wait(); close(done) }()
		p.together(writers+len(readers), func(i int) error {
			if i < writers {
				defer writing.Done()
				for _, c := range all[i*each : (i+1)*each] {
					if _, err := p.s.Commit(ctx, c); err != nil {
						return err
					}
				}
				return nil
			}
			var after store.Position
			for last := false; ; runtime.Gosched() {
				news, err := collect(p.s.Journal(ctx, after))
				if err != nil {
					return err
				}
				for _, e := range news {
					if e.Position <= after {
						return fmt.Errorf("position %d comes after %d", e.Position, after)
					}
					after = e.Position
					readers[i-writers] = append(readers[i-writers], e.ID)
				}
				if last {
					return nil
				}
				select {
				case <-done:
					last = true
				default:
				}
			}
		})
		var want []store.EntryID
		for _, e := range p.journal(0) {
			want = append(want, e.ID)
		}
		p.same("entries", len(want), len(all))
		for i, got := range readers {
			if !slices.Equal(got, want) {
				p.Errorf("reader %d, who followed the journal, was given %d of %d entries, or in another order", i, len(got), len(want))
			}
		}
	}},
	// A reader that scans all integrations and then follows the journal from where it
	// ended before misses nothing.
	{"Scan/after Bounds shows at least what the journal had", func(p *probe) {
		const n = 60
		ctx := context.WithoutCancel(p.Context())
		all := make([]store.Commit, n)
		for i := range all {
			all[i] = p.evidence(many(n)[i], 0)
		}
		done := make(chan struct{})
		p.together(2, func(i int) error {
			if i == 0 {
				defer close(done)
				for _, c := range all {
					if _, err := p.s.Commit(ctx, c); err != nil {
						return err
					}
				}
				return nil
			}
			for last := false; !last; runtime.Gosched() {
				select {
				case <-done:
					last = true
				default:
				}
				_, end, err := p.s.Bounds(ctx)
				if err != nil {
					return err
				}
				scanned, err := collect(p.s.Scan(ctx, ""))
				if err != nil {
					return err
				}
				before, err := collect(p.s.Journal(ctx, 0))
				if err != nil {
					return err
				}
				for _, e := range before {
					if e.Position <= end && !slices.Contains(names(scanned), e.Integration) {
						return fmt.Errorf("the integration of the entry at %d, of %d, is missing", e.Position, end)
					}
				}
			}
			return nil
		})
	}},
}

// ways are all ways in which a commit of sealedEvidence can be seen.
var ways = []struct {
	name string
	see  func(ctx context.Context, s store.Store, c store.Commit) (bool, error)
}{
	{"Load", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		stored, err := s.Load(ctx, c.Entry.Integration)
		return stored.Version > c.Expect, seenUnless(err)
	}},
	{"Scan", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		all, err := collect(s.Scan(ctx, ""))
		return len(all) == 1 && all[0].Version > c.Expect, err
	}},
	{"a repetition of Commit", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		_, err := receipt(ctx, s, c.Entry.ID)
		return err == nil, seenUnless(err)
	}},
	{"Journal", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		all, err := collect(s.Journal(ctx, 0))
		return has(all, c), err
	}},
	{"History", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		all, err := collect(s.History(ctx, c.Entry.Integration, store.EntryID{}))
		return has(all, c), err
	}},
	{"Owner", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		owner, err := s.Owner(ctx, c.Claim[0].Digest)
		return owner == c.Entry.Integration, seenUnless(err)
	}},
	{"Sealed of the body", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		_, err := s.Sealed(ctx, body(c))
		return err == nil, seenUnless(err)
	}},
	{"Sealed of the token", func(ctx context.Context, s store.Store, c store.Commit) (bool, error) {
		_, err := s.Sealed(ctx, token(c))
		return err == nil, seenUnless(err)
	}},
}

func seenUnless(err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	return err
}

func has(all []store.Entry, c store.Commit) bool {
	return slices.ContainsFunc(all, func(e store.Entry) bool { return e.ID == c.Entry.ID })
}

// seenAll returns an error if a commit that was seen in one way is not seen in another.
func seenAll(ctx context.Context, s store.Store, c store.Commit, by, first int) error {
	for i := range ways {
		way := ways[(by+1+first+i)%len(ways)]
		seen, err := way.see(ctx, s, c)
		if err != nil {
			return fmt.Errorf("%s: %w", way.name, err)
		}
		if !seen {
			return fmt.Errorf("%s shows the commit to version %d, %s does not", ways[by].name, c.Expect+1, way.name)
		}
	}
	return nil
}
