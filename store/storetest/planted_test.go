package storetest

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

var faults = slices.Concat(
	commitFaults, withFaults, repeatFaults, digestFaults, readFaults, journalFaults,
	sealedFaults, forgetFaults, trimFaults, leaseFaults,
	conductFaults, iteratorFaults, concurrentFaults, durableFaults,
	incarnationFaults,
)

// TestPlantedFaults plants one small bug after the other into a store that keeps
// its promises, and asks that the suite names the promise that is broken by it.
// Nor may there be a promise that no bug breaks: it could be an empty one.
//
// With the environment variable KEYRACK_LONG every fault meets the whole suite,
// and the log says what else it breaks; without, only the promise that must break.
func TestPlantedFaults(t *testing.T) {
	bites := map[string]bool{}
	for _, f := range faults {
		bites[f.breaks] = true
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			broken := brokenPromises(t.Context(), f.plant, func(name string) bool {
				return name == f.breaks || os.Getenv("KEYRACK_LONG") != ""
			})
			if _, ok := broken[f.breaks]; !ok {
				t.Errorf("not noticed: %s", f.breaks)
			}
			for name, message := range broken {
				t.Logf("%s: %.300s", name, message)
			}
		})
	}
	for _, promise := range promises {
		if !bites[promise.name] {
			t.Errorf("broken by no fault: %s", promise.name)
		}
	}
}

// TestNoFault: the suite accepts what the faults are planted into.
func TestNoFault(t *testing.T) {
	broken := brokenPromises(t.Context(), func(*planted) {}, func(string) bool { return true })
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		t.Errorf("%s: %s", name, broken[name])
	}
}

// TestStoreMayAppend: appending to what it is given breaks none of a store's promises
// about bytes.
func TestStoreMayAppend(t *testing.T) {
	appends := func(s *planted) {
		s.commit = func(ctx context.Context, c store.Commit) (store.Committed, error) {
			for _, given := range [][]byte{c.Entry.Evidence, c.Entry.Decision, c.Record, c.Body} {
				_ = append(given, "a frame of the store's own"...)
			}
			return s.sound.Commit(ctx, c)
		}
	}
	broken := brokenPromises(t.Context(), appends, func(name string) bool { return strings.HasPrefix(name, "Bytes/") })
	for _, name := range slices.Sorted(maps.Keys(broken)) {
		t.Errorf("%s: %s", name, broken[name])
	}
}

// fault is a bug, as small as possible.
type fault struct {
	name   string
	breaks string // the promise that the suite has to name, perhaps among others
	plant  func(s *planted)
}

// brokenPromises runs the wanted part of the suite on faulty stores and returns
// what it complains about, by promise.
func brokenPromises(ctx context.Context, plant func(*planted), wanted func(name string) bool) map[string]string {
	broken := map[string]string{}
	for _, promise := range promises {
		if !wanted(promise.name) {
			continue
		}
		r := &recorder{ctx: ctx}
		s := newPlanted()
		plant(s)
		p := &probe{tb: r, s: s, histories: 50, patience: 3 * time.Second, dump: dumped}
		p.another = func() store.Store { s := newPlanted(); plant(s); return s }
		p.hold = s.held
		p.ahead = func(_ store.Store, by time.Duration) { s.ahead(by) }
		p.reopen = func(store.Store) store.Store { return s.reopened() }
		p.join = func(store.Store) store.Store { return s.joined() }
		done := make(chan struct{})
		go func() {
			defer close(done)
			promise.keep(p)
		}()
		select {
		case <-done:
		case <-time.After(time.Minute):
			r.Errorf("it never ends")
		}
		if message := r.message(); message != "" {
			broken[promise.name] = message
		}
	}
	return broken
}

// recorder is the tb that writes down what a *testing.T would fail with.
type recorder struct {
	ctx    context.Context
	mu     sync.Mutex
	failed []string
}

func (r *recorder) Helper()                  {}
func (r *recorder) Context() context.Context { return r.ctx }

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failed = append(r.failed, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Skipf(format string, args ...any) {
	r.Errorf("skipped: "+format, args...)
	runtime.Goexit()
}

func (r *recorder) message() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.failed) == 0 {
		return ""
	}
	return r.failed[0]
}

// planted is a store, sound until a fault replaces one of its methods. The
// fields named like methods are what the methods call.
type planted struct {
	sound store.Store // what is below: memstore

	commit     func(ctx context.Context, c store.Commit) (store.Committed, error)
	load       func(ctx context.Context, integration string) (store.Stored, error)
	scan       func(ctx context.Context, after string) iter.Seq2[store.Stored, error]
	owner      func(ctx context.Context, d lifecycle.Digest) (string, error)
	journal    func(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error]
	bounds     func(ctx context.Context) (first, last store.Position, err error)
	history    func(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error]
	annotate   func(ctx context.Context, annotations ...store.Annotation) error
	sealed     func(ctx context.Context, ref store.Ref) ([]byte, error)
	scanSealed func(ctx context.Context) iter.Seq2[store.Ref, error]
	names      func(ctx context.Context, prefix string) iter.Seq2[string, error]
	reseal     func(ctx context.Context, ref store.Ref, old, new []byte) error
	shred      func(ctx context.Context, refs ...store.Ref) error
	trim       func(ctx context.Context, integration string, through uint64, base []byte) error
	acquire    func(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error)
	release    func(ctx context.Context, l store.Lease) error
	advance    func(ctx context.Context, l store.Lease, to store.Position) error
	cursor     func(ctx context.Context, name string) (store.Position, error)

	incarnation func(ctx context.Context) (string, error)
	renew       func(ctx context.Context) error

	// reopened and joined are the harness's Reopen and Join; remains is what a
	// dump shows besides what can be read.
	reopened func() store.Store
	joined   func() store.Store
	ahead    func(by time.Duration)
	hold     chan struct{} // commits wait for its end; nil: for nothing
	// unconfirmed: what is there already waits for nothing.
	unconfirmed bool
	remains     [][]byte
}

func newPlanted() *planted {
	s := memstore.New(nil)
	p := &planted{
		sound: s, commit: s.Commit, load: s.Load, scan: s.Scan, owner: s.Owner,
		journal: s.Journal, bounds: s.Bounds, history: s.History, annotate: s.Annotate,
		sealed: s.Sealed, scanSealed: s.ScanSealed, names: s.Names, reseal: s.Reseal, shred: s.Shred, trim: s.Trim,
		acquire: s.Acquire, release: s.Release, advance: s.Advance, cursor: s.Cursor,
		incarnation: s.Incarnation, renew: s.Renew,
	}
	p.reopened = func() store.Store { return p }
	p.joined = func() store.Store { return p }
	p.ahead = func(time.Duration) {} // leases in memory have no dates
	return p
}

// dumped returns everything that can be read, and the remains.
func dumped(of store.Store) []byte {
	s := of.(*planted)
	ctx := context.Background()
	dump := slices.Concat(s.remains...)
	first, _, _ := s.Bounds(ctx)
	for e := range s.Journal(ctx, first) {
		dump = slices.Concat(dump, e.Evidence, e.Decision)
	}
	for in := range s.Scan(ctx, "") {
		dump = slices.Concat(dump, in.Record, in.Base)
	}
	for ref := range s.ScanSealed(ctx) {
		value, _ := s.Sealed(ctx, ref)
		dump = append(dump, value...)
	}
	return dump
}

func (s *planted) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	r, err := s.commit(ctx, c)
	if s.hold != nil && err == nil && !(r.Repeated && s.unconfirmed) {
		select {
		case <-s.hold:
		case <-ctx.Done():
			return store.Committed{}, ctx.Err()
		}
	}
	return r, err
}

// held is the harness's Hold.
func (s *planted) held(store.Store) (release func()) {
	s.hold = make(chan struct{})
	return func() { close(s.hold) }
}

func (s *planted) Incarnation(ctx context.Context) (string, error) { return s.incarnation(ctx) }

func (s *planted) Renew(ctx context.Context) error { return s.renew(ctx) }

func (s *planted) Load(ctx context.Context, integration string) (store.Stored, error) {
	return s.load(ctx, integration)
}

func (s *planted) Scan(ctx context.Context, after string) iter.Seq2[store.Stored, error] {
	return s.scan(ctx, after)
}

func (s *planted) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	return s.owner(ctx, d)
}

func (s *planted) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return s.journal(ctx, after)
}

func (s *planted) Bounds(ctx context.Context) (first, last store.Position, err error) {
	return s.bounds(ctx)
}

func (s *planted) History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error] {
	return s.history(ctx, integration, after)
}

func (s *planted) Annotate(ctx context.Context, annotations ...store.Annotation) error {
	return s.annotate(ctx, annotations...)
}

func (s *planted) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	return s.sealed(ctx, ref)
}

func (s *planted) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	return s.names(ctx, prefix)
}

func (s *planted) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return s.scanSealed(ctx)
}

func (s *planted) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	return s.reseal(ctx, ref, old, new)
}

func (s *planted) Shred(ctx context.Context, refs ...store.Ref) error { return s.shred(ctx, refs...) }

func (s *planted) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	return s.trim(ctx, integration, through, base)
}

func (s *planted) Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error) {
	return s.acquire(ctx, name, holder, ttl)
}

func (s *planted) Release(ctx context.Context, l store.Lease) error { return s.release(ctx, l) }

func (s *planted) Advance(ctx context.Context, l store.Lease, to store.Position) error {
	return s.advance(ctx, l, to)
}

func (s *planted) Cursor(ctx context.Context, name string) (store.Position, error) {
	return s.cursor(ctx, name)
}
