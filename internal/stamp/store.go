package stamp

import (
	"bytes"
	"context"
	"iter"

	"github.com/keyrack-dev/keyrack/store"
)

// Store returns a store whose commits and bases get stamps, and whose records, bases and
// entries come without. What does not fit comes as bytes that nobody can read, so nobody
// answers from it. Unfit says why. The zero Key makes it s.
func Store(s store.Store, k Key) store.Store {
	if k.IsZero() {
		return s
	}
	return stamped{s, k}
}

type stamped struct {
	store.Store
	key Key
}

var (
	_ store.Volatile = stamped{}
	_ store.News     = stamped{}
)

// What stands in the place of bytes that do not fit. It is no JSON.
var (
	forged  = []byte(ErrForged.Error())
	missing = []byte(ErrMissing.Error())
)

// Unfit returns why a record, a base, an evidence or a decision from Store's store is not
// shown: ErrForged or ErrMissing, or nil if it is.
func Unfit(b []byte) error {
	switch {
	case bytes.Equal(b, forged):
		return ErrForged
	case bytes.Equal(b, missing):
		return ErrMissing
	}
	return nil
}

// fit returns what is shown of bytes that were checked.
func fit(plain []byte, err error) []byte {
	switch err {
	case nil:
		return plain
	case ErrMissing:
		return bytes.Clone(missing)
	}
	return bytes.Clone(forged)
}

// Volatile reports whether the store may end with the process.
func (s stamped) Volatile() bool {
	v, ok := s.Store.(store.Volatile)
	return ok && v.Volatile()
}

// News returns the store's, if it gives any.
func (s stamped) News(ctx context.Context) <-chan struct{} {
	if n, ok := s.Store.(store.News); ok {
		return n.News(ctx)
	}
	return nil
}

func (s stamped) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	plain := c.Entry.Decision
	s.stamp(&c)
	if c.With != nil {
		with := *c.With
		s.stamp(&with)
		c.With = &with
	}
	done, err := s.Store.Commit(ctx, c)
	switch {
	case err != nil:
	case done.Repeated:
		done.Entry = s.entry(done.Entry)
	default:
		done.Entry.Decision = plain
	}
	return done, err
}

// stamp puts stamps on what c keeps. The bytes that it was given stay as they are.
func (s stamped) stamp(c *store.Commit) {
	e := c.Entry
	if e.Version = 0; e.Integration != "" {
		e.Version = c.Expect + 1
	}
	b := make([]byte, 0, len(e.Decision)+len(c.Record)+2*length)
	b = s.key.Entry(b, &e, c.After, PartsOf(c))
	n := len(b)
	c.Entry.Decision = b[:n:n]
	if e.Integration != "" {
		b = s.key.Record(b, e.Integration, e.Version, e.ID, c.Record)
		c.Record = b[n:len(b):len(b)]
	}
}

func (s stamped) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	if integration != "" {
		base = s.key.Record(nil, integration, through, store.EntryID{}, base)
	}
	return s.Store.Trim(ctx, integration, through, base)
}

func (s stamped) stored(in store.Stored) store.Stored {
	in.Record, in.Base = fit(s.key.OpenRecord(&in)), fit(s.key.OpenBase(&in))
	return in
}

func (s stamped) entry(e store.Entry) store.Entry {
	decision, err := s.key.OpenEntry(&e)
	if e.Decision = fit(decision, err); err != nil {
		e.Evidence = fit(nil, err)
	}
	return e
}

func (s stamped) Load(ctx context.Context, integration string) (store.Stored, error) {
	in, err := s.Store.Load(ctx, integration)
	if err != nil {
		return in, err
	}
	return s.stored(in), nil
}

func (s stamped) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return each(s.Store.Scan(ctx, after), s.stored)
}

func (s stamped) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return each(s.Store.Journal(ctx, after), s.entry)
}

func (s stamped) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return each(s.Store.History(ctx, integration, after), s.entry)
}

// each yields what of makes of everything.
func each[T any](all iter.Seq2[T, error], of func(T) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for one, err := range all {
			if err == nil {
				one = of(one)
			}
			if !yield(one, err) {
				return
			}
		}
	}
}
