package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// tb is the part of *testing.T that the suite needs. The suite's own tests pass another
// one, to see it fail.
type tb interface {
	Helper()
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Skipf(format string, args ...any)
	Context() context.Context
}

// probe is one case at work on one store. Its methods call the store, and fail the case
// on an error that was not asked for. They must be called from the case's own
// goroutine.
type probe struct {
	tb
	s         store.Store
	reopen    func(store.Store) store.Store
	join      func(store.Store) store.Store
	dump      func(store.Store) []byte
	ahead     func(store.Store, time.Duration)
	hold      func(store.Store) (release func())
	another   func() store.Store // a new one
	histories int
	patience  time.Duration // how long an immediate call may take

	made      int
	populated int                // the number that populate was given
	digests   []lifecycle.Digest // all that were made
}

// digest returns a digest that nobody owns yet.
func (p *probe) digest() lifecycle.Digest {
	var d lifecycle.Digest
	rand.Read(d[:])
	p.digests = append(p.digests, d)
	return d
}

// evidence returns a plain commit without a body. No two of them share a byte slice.
func (p *probe) evidence(integration string, expect uint64) store.Commit {
	p.made++
	c := store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(time.Now()), Integration: integration,
			At:       lifecycle.At(time.Now()),
			Evidence: fmt.Appendf(nil, `{"evidence":%d}`, p.made),
			Decision: fmt.Appendf(nil, `{"decision":%d}`, p.made),
		},
		Expect: expect,
	}
	if integration != "" {
		c.Record = fmt.Appendf(nil, `{"record":%d}`, p.made)
	}
	return c
}

// sealedEvidence returns a commit that also brings a body and a token, both sealed.
func (p *probe) sealedEvidence(integration string, expect uint64) store.Commit {
	c := p.evidence(integration, expect)
	c.Body = secret("body")
	c.Claim = []store.Claim{{Digest: p.digest(), Sealed: secret("token")}}
	return c
}

// secret returns what could be a sealed value: bytes that occur nowhere else.
func secret(kind string) []byte {
	b := make([]byte, 48)
	rand.Read(b)
	return append([]byte(kind), b...)
}

func (p *probe) commit(c store.Commit) store.Committed {
	p.Helper()
	r, err := p.s.Commit(p.Context(), c)
	if err != nil {
		p.Fatalf("Commit: %v", err)
	}
	return r
}

// grow commits n pieces of evidence, with bodies and tokens, about a new integration.
func (p *probe) grow(integration string, n int) []store.Commit {
	p.Helper()
	all := make([]store.Commit, n)
	for i := range all {
		all[i] = p.sealedEvidence(integration, uint64(i))
		p.commit(all[i])
	}
	return all
}

// refused checks that the store refuses c with the sentinel, and changes nothing.
func (p *probe) refused(c store.Commit, sentinel error) {
	p.Helper()
	before := p.everything()
	_, err := p.s.Commit(p.Context(), c)
	p.is(err, sentinel, "Commit")
	p.same("after "+sentinel.Error(), p.everything(), before)
	if !c.Entry.ID.IsZero() {
		_, err := receipt(p.Context(), p.s, c.Entry.ID)
		p.is(err, store.ErrNotFound, "a refused commit, repeated")
	}
}

// receipt returns the receipt of the commit with this entry id, or ErrNotFound. It
// repeats the commit with a version that no integration ever has.
func receipt(ctx context.Context, s store.Store, id store.EntryID) (store.Committed, error) {
	r, err := s.Commit(ctx, store.Commit{Entry: store.Entry{ID: id, Integration: "nobody's"}, Expect: 1 << 40, Record: []byte("none")})
	if errors.Is(err, store.ErrConflict) {
		err = store.ErrNotFound
	}
	return r, err
}

// is checks that an error is the expected one; nil means none.
func (p *probe) is(err, want error, what string) {
	p.Helper()
	if !errors.Is(err, want) {
		p.Errorf("%s: got error %v, want %v", what, err, want)
	}
}

// within fails the case if f does not return in time, since then the store holds a
// lock.
func (p *probe) within(what string, f func() error) {
	p.Helper()
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		if err != nil {
			p.Errorf("%s: %v", what, err)
		}
	case <-time.After(p.patience):
		p.Fatalf("%s: still not done after %v", what, p.patience)
	}
}

// together runs f(0) to f(n-1) concurrently.
func (p *probe) together(n int, f func(i int) error) {
	p.Helper()
	start := make(chan struct{})
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			p.Errorf("%v", err)
		}
	}
}
