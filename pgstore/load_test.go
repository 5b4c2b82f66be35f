package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/store"
)

// load is a number of writers at work, and what they were told. Each writer has an
// integration of its own, and all together have one more. After an answer that says
// neither yes nor no they commit the same again.
type load struct {
	s      *pgstore.Store
	prefix string
	// alone: nobody else, dead or alive, writes to the integrations of the writers.
	alone bool
	// told is called for each outcome, before the writer goes on.
	told func(outcome)

	commits, unknown atomic.Int64
}

// outcome is what became of an entry: its version, or 0 for never.
type outcome struct {
	id          store.EntryID
	integration string
	version     uint64
}

// run writes until the context ends; nothing that has begun is broken off.
func (l *load) run(ctx context.Context, writers int) error {
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for i := range writers {
		wg.Go(func() { errs[i] = l.write(ctx, fmt.Sprint(l.prefix, "-", i)) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

func (l *load) write(ctx context.Context, own string) error {
	versions := map[string]uint64{}
	for _, integration := range []string{own, l.prefix} {
		var err error
		if versions[integration], err = l.load(integration); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		integration := own
		if rand.IntN(4) == 0 {
			integration = l.prefix
		}
		expect := versions[integration]
		version, err := l.commit(piece(integration, expect))
		if err == nil && version == 0 {
			version, err = l.load(integration)
			if l.alone && integration == own && version != expect {
				return fmt.Errorf("version %d was refused to the only writer, and is %d now", expect+1, version)
			}
		}
		if err != nil {
			return err
		}
		versions[integration] = version
	}
	return nil
}

// piece returns a commit of everything: a record that names its entry, a body, a claim.
func piece(integration string, expect uint64) store.Commit {
	id := store.NewEntryID(time.Now())
	c := store.Commit{
		Entry: store.Entry{
			ID: id, Integration: integration, At: lifecycle.At(time.Now()),
			Evidence: id[:], Decision: []byte(`{"Outcome":"applied"}`),
		},
		Body: append(id[:], make([]byte, 400)...), Expect: expect, Record: append(id[:], make([]byte, 300)...),
	}
	if expect%4 == 0 {
		c.Claim = []store.Claim{{Digest: digestOf(id), Sealed: id[:]}}
	}
	return c
}

func digestOf(id store.EntryID) (d lifecycle.Digest) {
	copy(d[:], id[:])
	return d
}

const settling = time.Minute

// commit returns the version that the commit made, 0 if it never will.
func (l *load) commit(c store.Commit) (uint64, error) {
	o := outcome{id: c.Entry.ID, integration: c.Entry.Integration}
	for deadline := time.Now().Add(settling); ; time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond) {
		err := attempt(func(ctx context.Context) error {
			r, err := l.s.Commit(ctx, c)
			o.version = r.Version
			return err
		})
		switch {
		case err == nil:
			l.commits.Add(1)
			l.told(o)
			return o.version, nil
		case errors.Is(err, store.ErrConflict):
			o.version = 0
			l.told(o)
			return 0, nil
		case time.Now().After(deadline):
			return 0, fmt.Errorf("still no answer: %w", err)
		}
		l.unknown.Add(1)
	}
}

func (l *load) load(integration string) (version uint64, err error) {
	err = patient(func(ctx context.Context) error {
		stored, err := l.s.Load(ctx, integration)
		version = stored.Version
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		return err
	})
	return version, err
}

func attempt(f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return f(ctx)
}

// patient calls f until it succeeds.
func patient(f func(context.Context) error) error {
	for deadline := time.Now().Add(settling); ; time.Sleep(20 * time.Millisecond) {
		if err := attempt(f); err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// ledger is what everybody was told, to be compared with what is there.
type ledger struct {
	mu       sync.Mutex
	outcomes map[store.EntryID]outcome
	twice    []store.EntryID
}

func (l *ledger) note(o outcome) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.outcomes == nil {
		l.outcomes = map[store.EntryID]outcome{}
	}
	if _, ok := l.outcomes[o.id]; ok {
		l.twice = append(l.twice, o.id)
	}
	l.outcomes[o.id] = o
}

// audit compares the acknowledgements with what a store has. Unacknowledged entries are
// an error unless an instance died that could have acknowledged them.
func (l *ledger) audit(t *testing.T, s *pgstore.Store, died bool) []store.Entry {
	t.Helper()
	var all []store.Entry
	if err := patient(func(ctx context.Context) error {
		all = all[:0]
		for e, err := range s.Journal(ctx, 0) {
			if err != nil {
				return err
			}
			all = append(all, e)
		}
		return nil
	}); err != nil {
		t.Fatalf("Journal: %v", err)
	}
	if len(l.twice) > 0 {
		t.Errorf("%d outcomes were told twice", len(l.twice))
	}
	versions := map[string]store.Entry{}
	there := map[store.EntryID]bool{}
	var untold int
	var last store.Position
	for _, e := range all {
		o, told := l.outcomes[e.ID]
		switch {
		case there[e.ID]:
			t.Errorf("an entry is in the journal twice")
		case e.Position <= last:
			t.Errorf("position %d after %d", e.Position, last)
		case e.Version != versions[e.Integration].Version+1:
			t.Errorf("version %d follows version %d", e.Version, versions[e.Integration].Version)
		case told && o.version == 0:
			t.Errorf("a commit that was refused, or never to come, has happened")
		case told && o.version != e.Version:
			t.Errorf("version %d was told to be %d", e.Version, o.version)
		case !told:
			untold++
		}
		there[e.ID], last, versions[e.Integration] = true, e.Position, e
	}
	if untold > 0 && !died {
		t.Errorf("%d entries that were never acknowledged", untold)
	}
	var lost, acknowledged int
	for id, o := range l.outcomes {
		if o.version > 0 {
			acknowledged++
			if !there[id] {
				lost++
			}
		}
	}
	if lost > 0 {
		t.Errorf("%d of %d acknowledged commits are lost", lost, acknowledged)
	}
	l.auditRecords(t, s, all, versions)
	t.Logf("%d acknowledged, %d refused, %d untold, %d in the journal", acknowledged, len(l.outcomes)-acknowledged, untold, len(all))
	return all
}

// auditRecords checks that what came with the entries is there, too.
func (l *ledger) auditRecords(t *testing.T, s *pgstore.Store, all []store.Entry, newest map[string]store.Entry) {
	t.Helper()
	ctx := t.Context()
	for integration, e := range newest {
		stored, err := s.Load(ctx, integration)
		if err != nil || stored.Version != e.Version || len(stored.Record) < 16 || store.EntryID(stored.Record[:16]) != e.ID {
			t.Errorf("the record of version %d is not that of the newest entry, of version %d: %v", stored.Version, e.Version, err)
		}
	}
	var bodies, tokens, claims int
	for ref, err := range s.ScanSealed(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		if ref.Digest == (lifecycle.Digest{}) {
			bodies++
		} else {
			tokens++
		}
	}
	for _, e := range all {
		if e.Version%4 == 1 {
			claims++
		}
	}
	if bodies != len(all) || tokens != claims {
		t.Errorf("%d bodies of %d entries, %d tokens of %d claims", bodies, len(all), tokens, claims)
	}
}

// follower reads the journal from its beginning, whenever there is news, until it
// is stopped; and then once more, to the end.
type follower struct {
	seen []store.Entry
	err  error
	stop context.CancelFunc
	done chan struct{}
}

func follow(s *pgstore.Store) *follower {
	ctx, cancel := context.WithCancel(context.Background())
	f := &follower{stop: cancel, done: make(chan struct{})}
	go func() {
		defer close(f.done)
		for range s.News(ctx) {
			_ = attempt(func(ctx context.Context) error { return f.read(ctx, s) })
		}
		f.err = patient(func(ctx context.Context) error { return f.read(ctx, s) })
	}()
	return f
}

func (f *follower) read(ctx context.Context, s *pgstore.Store) error {
	var after store.Position
	if n := len(f.seen); n > 0 {
		after = f.seen[n-1].Position
	}
	for e, err := range s.Journal(ctx, after) {
		if err != nil {
			return err
		}
		f.seen = append(f.seen, e)
	}
	return nil
}

// audit ends the follower and compares what it saw with the journal.
func (f *follower) audit(t *testing.T, all []store.Entry) {
	t.Helper()
	f.stop()
	<-f.done
	same := func(a, b store.Entry) bool { return a.ID == b.ID && a.Position == b.Position }
	if f.err != nil || !slices.EqualFunc(f.seen, all, same) {
		t.Errorf("who followed the journal saw %d of %d entries, or others: %v", len(f.seen), len(all), f.err)
	}
}
