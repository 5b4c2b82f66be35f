package crosscheck_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
	"github.com/keyrack-dev/keyrack/store/storetest/crosscheck"
)

// inMemory records with a store in memory, behind what a test puts before it.
func inMemory(before func(store.Store) store.Store) storetest.Harness {
	return storetest.Harness{Open: func(*testing.T) store.Store { return before(memstore.New(nil)) }}
}

func sound(s store.Store) store.Store { return s }

// inFile records with a file that is open twice, as two processes would have it.
func inFile() storetest.Harness {
	var paths sync.Map // by store
	open := func(t *testing.T, path string) store.Store {
		s, err := sqlitestore.Open(t.Context(), path, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		paths.Store(s, path)
		return s
	}
	return storetest.Harness{
		Open: func(t *testing.T) store.Store { return open(t, filepath.Join(t.TempDir(), "keyrack.db")) },
		Join: func(t *testing.T, s store.Store) store.Store {
			path, _ := paths.Load(s)
			return open(t, path.(string))
		},
	}
}

// judges asks both checkers.
func judges(t *testing.T, history []storetest.Call) (ours error, theirs bool) {
	t.Helper()
	theirs, known := crosscheck.Linearizable(history, time.Minute)
	if !known {
		t.Fatalf("no answer about %d calls within a minute", len(history))
	}
	return storetest.Linearizable(history), theirs
}

// TestSound: both checkers accept what stores really did, and so agree.
func TestSound(t *testing.T) {
	fileHistories := 1000
	if testkit.Race { // SQLite, which is transpiled from C, is ten times slower then
		fileHistories = 100
	}
	for name, at := range map[string]struct {
		store storetest.Harness
		n     int
	}{"memstore": {inMemory(sound), 1000}, "sqlitestore, open twice": {inFile(), fileHistories}} {
		t.Run(name, func(t *testing.T) {
			judged, calls := 0, 0
			at.store.Record(t, at.n, func(history []storetest.Call) {
				judged, calls = judged+1, calls+len(history)
				if ours, theirs := judges(t, history); ours != nil || !theirs {
					t.Fatalf("storetest says %v, porcupine %t:\n%+v", ours, theirs, history)
				}
			})
			t.Logf("%d histories, %d calls in all", judged, calls)
			if judged != at.n {
				t.Errorf("%d of %d histories", judged, at.n)
			}
		})
	}
}

// TestTampered changes an answer, or when it came, in histories that were recorded.
// What storetest refuses, porcupine refuses, too. The reverse holds as long as no
// digest is in it: for digests storetest checks less, as it says.
func TestTampered(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	both, none, missed := 0, 0, 0
	inMemory(sound).Record(t, 1000, func(history []storetest.Call) {
		what := tamper(rng, history)
		ours, theirs := judges(t, history)
		switch {
		case ours != nil && theirs:
			t.Fatalf("%s: storetest says %v, porcupine accepts:\n%+v", what, ours, history)
		case ours != nil:
			both++
		case theirs:
			none++
		default:
			// Without the digests, nothing may be missed.
			if ours, theirs := judges(t, versionsAlone(history)); ours == nil && !theirs {
				t.Fatalf("%s: storetest accepts, porcupine does not:\n%+v", what, history)
			}
			missed++
		}
	})
	t.Logf("refused by both %d, accepted by both %d, accepted by storetest alone %d", both, none, missed)
	if both < 300 || missed > both/20 {
		t.Errorf("refused by both %d, accepted by both %d, accepted by storetest alone %d", both, none, missed)
	}
}

// tamper makes a history false, as a rule.
func tamper(rng *rand.Rand, history []storetest.Call) string {
	for {
		a, b := &history[rng.IntN(len(history))], &history[rng.IntN(len(history))]
		switch rng.IntN(5) {
		case 0:
			if a.Kind == storetest.Loaded && a.Version > 0 {
				a.Version--
				return "a load of an older version"
			}
		case 1:
			if a.Kind == storetest.Loaded {
				a.Version++
				return "a load of a newer version"
			}
		case 2:
			if a.Kind == storetest.Asked {
				a.Owner = []string{"", history[0].Integration, "another"}[rng.IntN(3)]
				return "another owner"
			}
		case 3:
			if a.Kind == storetest.Committed && b.Kind == storetest.Committed && a != b {
				a.Begin, a.End, b.Begin, b.End = b.Begin, b.End, a.Begin, a.End
				return "two commits that changed places"
			}
		case 4:
			if a.Kind == storetest.Committed {
				a.Claim, a.Disown = a.Disown, a.Claim
				if len(a.Claim)+len(a.Disown) > 0 {
					return "a claim for a disowning"
				}
			}
		}
	}
}

// versionsAlone leaves the digests out of a history.
func versionsAlone(history []storetest.Call) (left []storetest.Call) {
	for _, c := range history {
		if c.Kind != storetest.Owned && c.Kind != storetest.Asked {
			c.Claim, c.Disown = nil, nil
			left = append(left, c)
		}
	}
	return left
}

// TestPlanted records histories of stores with a bug in them. Both checkers find
// the bug, and wherever storetest does, porcupine does.
func TestPlanted(t *testing.T) {
	for name, plant := range map[string]func(store.Store) store.Store{
		"Load reads an old copy":                 func(s store.Store) store.Store { return &oldLoads{Store: s} },
		"Owner reads an old copy":                func(s store.Store) store.Store { return &oldOwners{Store: s} },
		"a commit may be refused for no reason":  func(s store.Store) store.Store { return &refusals{Store: s} },
		"Owner names another where there is one": func(s store.Store) store.Store { return others{s} },
	} {
		t.Run(name, func(t *testing.T) {
			both, theirsAlone := 0, 0
			inMemory(plant).Record(t, 100, func(history []storetest.Call) {
				switch ours, theirs := judges(t, history); {
				case ours != nil && theirs:
					t.Fatalf("storetest says %v, porcupine accepts:\n%+v", ours, history)
				case ours != nil:
					both++
				case !theirs:
					theirsAlone++
				}
			})
			t.Logf("of 100 histories both refuse %d, porcupine alone %d", both, theirsAlone)
			if both < 5 {
				t.Errorf("of 100 histories both refuse %d, porcupine alone %d", both, theirsAlone)
			}
		})
	}
}

// oldLoads answers every second Load with what the one before found.
type oldLoads struct {
	store.Store
	copies sync.Map
}

func (s *oldLoads) Load(ctx context.Context, integration string) (store.Stored, error) {
	if old, ok := s.copies.LoadAndDelete(integration); ok {
		return old.(store.Stored), nil
	}
	stored, err := s.Store.Load(ctx, integration)
	if err == nil {
		s.copies.Store(integration, stored)
	}
	return stored, err
}

// oldOwners does the same with Owner.
type oldOwners struct {
	store.Store
	copies sync.Map
}

func (s *oldOwners) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	if old, ok := s.copies.LoadAndDelete(d); ok {
		return old.(string), nil
	}
	owner, err := s.Store.Owner(ctx, d)
	if err == nil {
		s.copies.Store(d, owner)
	}
	return owner, err
}

// refusals refuses every tenth commit.
type refusals struct {
	store.Store
	n atomic.Int64
}

func (s *refusals) Commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	if s.n.Add(1)%10 == 0 && !s.has(ctx, c.Entry.ID) {
		return store.Committed{}, store.ErrConflict
	}
	return s.Store.Commit(ctx, c)
}

func (s *refusals) has(ctx context.Context, id store.EntryID) bool {
	_, err := s.Store.Commit(ctx, store.Commit{Entry: store.Entry{ID: id, Integration: "nobody's"}, Expect: 1 << 40})
	return !errors.Is(err, store.ErrConflict)
}

// others names an owner of its own.
type others struct{ store.Store }

func (s others) Owner(ctx context.Context, d lifecycle.Digest) (string, error) {
	owner, err := s.Store.Owner(ctx, d)
	if err == nil {
		owner = fmt.Sprint("not ", owner)
	}
	return owner, err
}
