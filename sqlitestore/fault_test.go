package sqlitestore_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// What SQLite is told by a disk that fails.
var faults = map[string]int32{
	"open":     14,         // SQLITE_CANTOPEN
	"read":     10 | 1<<8,  // SQLITE_IOERR_READ
	"write":    10 | 3<<8,  // SQLITE_IOERR_WRITE
	"full":     13,         // SQLITE_FULL, of a write
	"sync":     10 | 4<<8,  // SQLITE_IOERR_FSYNC
	"truncate": 10 | 6<<8,  // SQLITE_IOERR_TRUNCATE
	"map":      10 | 21<<8, // SQLITE_IOERR_SHMMAP
	"delete":   10 | 10<<8, // SQLITE_IOERR_DELETE
}

// TestFaults fails the n-th operation of each kind, for every n, once or until
// the disk is repaired: there is an error, and a clear one, nothing that was
// acknowledged is missing, and the same store works on afterwards.
func TestFaults(t *testing.T) {
	for what, rc := range faults {
		kind := strings.Replace(what, "full", "write", 1)
		for _, lasts := range []bool{false, true} {
			name := what + " once"
			if lasts {
				name = what + " until repaired"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				n, step := 1, 1
				if testing.Short() || testkit.Race {
					step = 11
				}
				told := 0
				for ; ; n += step {
					hit, errs := faultAt(t, kind, rc, n, lasts)
					told += errs
					if !hit {
						break
					}
					if n > 2000 {
						t.Fatal("the workload has no end")
					}
				}
				if n == 1 {
					t.Errorf("the workload has no %s at all", kind)
				}
				t.Logf("%d places, %d calls failed", n-1, told)
			})
		}
	}
}

// faultAt runs a workload whose n-th operation of a kind fails. It reports whether
// there was one, and how many calls returned an error.
func faultAt(t *testing.T, kind string, rc int32, n int, lasts bool) (hit bool, errs int) {
	d := newDisk(t)
	db := d.open(t, filepath.Join(fastDir(t), "keyrack.db"))
	defer db.Close()
	seen := 0
	d.fail(func(k, file string) int32 {
		if k != kind {
			return 0
		}
		seen++
		if seen == n || lasts && seen > n {
			hit = true
			return rc
		}
		return 0
	})
	ctx := t.Context()
	opts := &sqlitestore.Options{CheckpointPages: 10, Readers: 1, BusyTimeout: 50 * time.Millisecond}
	failed := func(what string, err error) {
		t.Helper()
		if err == nil {
			return
		}
		errs++
		var typed *sqlitestore.Error
		if !errors.As(err, &typed) || errors.Is(err, sqlitestore.ErrOther) {
			t.Fatalf("%s %d: %s: not a clear error: %v", kind, n, what, err)
		}
	}
	s, err := sqlitestore.New(ctx, db, opts)
	if failed("New", err); err != nil {
		d.fail(nil)
		if s, err = sqlitestore.New(ctx, db, opts); err != nil {
			t.Fatalf("%s %d: New, once the disk is repaired: %v", kind, n, err)
		}
	}
	known, committed := acknowledged{}, acknowledged{} // what was answered; what may be there
	rng := rand.New(rand.NewPCG(3, uint64(n)))
	commit := func(integration string, strict bool) {
		t.Helper()
		c := testCommit(integration, committed[integration], rng.IntN(5000))
		_, err := s.Commit(ctx, c)
		if strict && err != nil {
			t.Fatalf("%s %d: Commit, once the disk is repaired: %v", kind, n, err)
		}
		if failed("Commit", err); err != nil {
			// Unknown: the repetition tells.
			if _, err = s.Commit(ctx, c); err != nil {
				failed("Commit, repeated", err)
				if stored, err := s.Load(ctx, integration); err == nil {
					committed[integration] = stored.Version
				}
				return
			}
		}
		committed[integration]++
		known[integration] = committed[integration]
	}
	for i := range 12 {
		commit(fmt.Sprint(i%3), false)
		_, err := s.Load(ctx, fmt.Sprint(i%3))
		if !errors.Is(err, store.ErrNotFound) {
			failed("Load", err)
		}
	}
	failed("Checkpoint", s.Checkpoint(ctx))
	d.fail(nil)
	// The same store works on.
	for integration := range committed {
		stored, err := s.Load(ctx, integration)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			t.Fatalf("%s %d: Load, once the disk is repaired: %v", kind, n, err)
		}
		committed[integration] = stored.Version
	}
	for i := range 3 {
		commit(fmt.Sprint(i), true)
	}
	for range 2 {
		if err := known.kept(ctx, s); err != nil {
			t.Fatalf("%s %d: %v", kind, n, err)
		}
		if err := wholeness(ctx, s); err != nil {
			t.Fatalf("%s %d: %v", kind, n, err)
		}
		if err := s.Close(); err != nil {
			t.Fatalf("%s %d: Close: %v", kind, n, err)
		}
		if s, err = sqlitestore.New(ctx, db, opts); err != nil {
			t.Fatalf("%s %d: New, afterwards: %v", kind, n, err)
		}
	}
	s.Close()
	return hit, errs
}

// TestDamage overwrites each page of a database: every call ends, with an error that
// says so or with what was there, and Check finds something.
func TestDamage(t *testing.T) {
	path := filepath.Join(fastDir(t), "keyrack.db")
	ctx := t.Context()
	s, err := sqlitestore.Open(ctx, path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		if _, err := s.Commit(ctx, testCommit(fmt.Sprint(i%7), uint64(i/7), 100*i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	found := 0
	for n := range len(sound) / page {
		damaged := append([]byte(nil), sound...)
		for i := range page {
			damaged[n*page+i] = 0xa5
		}
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := sqlitestore.Open(ctx, path, nil)
		if err == nil {
			err = errors.Join(readAll(ctx, s), s.Check(ctx))
			if _, failed := s.Commit(ctx, testCommit("new", 0, 10)); failed != nil {
				err = errors.Join(err, failed)
			} else if _, lost := s.Load(ctx, "new"); lost != nil {
				t.Errorf("page %d: acknowledged, and not there: %v", n, lost)
			}
			s.Close()
		}
		os.Remove(path + "-wal")
		os.Remove(path + "-shm")
		switch {
		case errors.Is(err, sqlitestore.ErrCorrupt), n == 0 && errors.Is(err, sqlitestore.ErrForeign): // page 0 says what the file is
			found++
		case err != nil:
			t.Errorf("page %d: a damaged page is: %v", n, err)
		default:
			t.Logf("page %d: nobody notices", n) // bytes of a body, or nothing at all
		}
	}
	if found < len(sound)/page/2 {
		t.Errorf("%d of %d damaged pages found", found, len(sound)/page)
	}
}

// readAll reads whatever there is.
func readAll(ctx context.Context, s *sqlitestore.Store) error {
	var errs []error
	for stored, err := range s.Scan(ctx, "") {
		errs = append(errs, err)
		for _, err := range s.History(ctx, stored.Integration, store.EntryID{}) {
			errs = append(errs, err)
		}
	}
	for _, err := range s.Journal(ctx, 0) {
		errs = append(errs, err)
	}
	for ref, err := range s.ScanSealed(ctx) {
		errs = append(errs, err)
		if err == nil {
			_, err = s.Sealed(ctx, ref)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
