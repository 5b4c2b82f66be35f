package sqlitestore_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// erasures are all ways in which something sealed goes, each of a commit to version 1
// of an integration of its own.
var erasures = map[string]func(context.Context, store.Store, store.Commit) error{
	"Shred": func(ctx context.Context, s store.Store, c store.Commit) error {
		return s.Shred(ctx, bodyOf(c), tokenOf(c))
	},
	"Forget": func(ctx context.Context, s store.Store, c store.Commit) error {
		next := testCommit(c.Entry.Integration, 1, 0)
		next.Forget = true
		_, err := s.Commit(ctx, next)
		return err
	},
	"EraseBodies and Disown": func(ctx context.Context, s store.Store, c store.Commit) error {
		next := testCommit(c.Entry.Integration, 1, 0)
		next.EraseBodies, next.Disown = true, []lifecycle.Digest{c.Claim[0].Digest}
		_, err := s.Commit(ctx, next)
		return err
	},
	"Reseal": func(ctx context.Context, s store.Store, c store.Commit) error {
		if err := s.Reseal(ctx, tokenOf(c), c.Claim[0].Sealed, []byte("another")); err != nil {
			return err
		}
		return s.Reseal(ctx, bodyOf(c), c.Body, []byte("another"))
	},
	"Trim, and a claim that replaces the token": func(ctx context.Context, s store.Store, c store.Commit) error {
		next := testCommit(c.Entry.Integration, 1, 0)
		next.Claim = []store.Claim{{Digest: c.Claim[0].Digest, Sealed: []byte("another")}}
		if _, err := s.Commit(ctx, next); err != nil {
			return err
		}
		return s.Trim(ctx, c.Entry.Integration, 1, c.Record)
	},
}

func bodyOf(c store.Commit) store.Ref { return store.Ref{Entry: c.Entry.ID} }

func tokenOf(c store.Commit) store.Ref {
	return store.Ref{Integration: c.Entry.Integration, Digest: c.Claim[0].Digest}
}

// secretCommit brings a body and a token that occur nowhere else.
func secretCommit(integration string) store.Commit {
	c := testCommit(integration, 0, 0)
	c.Body = []byte("body " + rand.Text() + rand.Text())
	c.Claim[0].Sealed = []byte("token " + rand.Text() + rand.Text())
	return c
}

// onDisk reports whether the file, its log or the log's index hold a value.
func onDisk(t *testing.T, path string, values ...[]byte) bool {
	t.Helper()
	all := files(t, path)
	for _, v := range values {
		if bytes.Contains(all, v) {
			return true
		}
	}
	return false
}

// awaitGone waits until no file holds any of the values.
func awaitGone(t *testing.T, path string, values ...[]byte) {
	t.Helper()
	patience := time.Minute
	if planted != nil {
		patience = 2 * time.Second // it is to fail
	}
	for deadline := time.Now().Add(patience); onDisk(t, path, values...); {
		if time.Now().After(deadline) {
			t.Fatalf("what was erased is still on the disk after %v", patience)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TestErasedLeavesTheLog looks for what was erased in the bytes of all three files.
// Nobody asks for a checkpoint, and nothing else happens.
func TestErasedLeavesTheLog(t *testing.T) {
	for name, erase := range erasures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(fastDir(t), "keyrack.db")
			s, err := openPlanted(t.Context(), path, &sqlitestore.Options{EraseWithin: 300 * time.Millisecond})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			c := secretCommit("a")
			if _, err := s.Commit(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			if !onDisk(t, path, c.Body) || !onDisk(t, path, c.Claim[0].Sealed) {
				t.Fatal("what is to be erased is not on the disk: this proves nothing")
			}
			if err := erase(t.Context(), s, c); err != nil {
				t.Fatal(err)
			}
			awaitGone(t, path, c.Body, c.Claim[0].Sealed)
			if err := s.Check(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestErasedWhileOthersRead: a reader in a long transaction holds up the log but not
// the commits, and the log is emptied once the reader is done.
func TestErasedWhileOthersRead(t *testing.T) {
	path := filepath.Join(fastDir(t), "keyrack.db")
	ctx := t.Context()
	s := mustOpen(t, path, &sqlitestore.Options{EraseWithin: 100 * time.Millisecond})
	c := secretCommit("a")
	if _, err := s.Commit(ctx, c); err != nil {
		t.Fatal(err)
	}
	db := foreign(t, path)
	defer db.Close()
	reader, err := db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := reader.QueryRow("SELECT count(*) FROM body").Scan(&n); err != nil || n != 1 {
		t.Fatalf("%d bodies: %v", n, err)
	}
	if err := s.Shred(ctx, bodyOf(c), tokenOf(c)); err != nil {
		t.Fatal(err)
	}
	// Meanwhile commits go on, over several attempts to empty the log.
	for version := uint64(1); version <= 20; version++ {
		time.Sleep(20 * time.Millisecond)
		if _, err := s.Commit(ctx, testCommit("a", version, 0)); err != nil {
			t.Fatalf("Commit while another reads: %v", err)
		}
	}
	if err := reader.QueryRow("SELECT count(*) FROM body").Scan(&n); err != nil || n != 1 {
		t.Errorf("the reader sees %d bodies: %v", n, err)
	}
	if err := reader.Rollback(); err != nil {
		t.Fatal(err)
	}
	awaitGone(t, path, c.Body, c.Claim[0].Sealed)
}

// TestErasedOnceTheDiskWorks: while the file cannot be written to, the log cannot be
// carried over; commits go on, and erasing does once it can.
func TestErasedOnceTheDiskWorks(t *testing.T) {
	path := filepath.Join(fastDir(t), "keyrack.db")
	ctx := t.Context()
	d := newDisk(t)
	s, err := sqlitestore.New(ctx, d.open(t, path), &sqlitestore.Options{EraseWithin: 10 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := secretCommit("a")
	if _, err := s.Commit(ctx, c); err != nil {
		t.Fatal(err)
	}
	failed := make(chan struct{}, 1)
	d.fail(func(kind, file string) int32 {
		if kind == "write" && !isLog(file) {
			select {
			case failed <- struct{}{}:
			default:
			}
			return faults["write"]
		}
		return 0
	})
	if err := s.Shred(ctx, bodyOf(c), tokenOf(c)); err != nil {
		t.Fatal(err)
	}
	for version := uint64(1); version <= 5; version++ {
		<-failed // one attempt more
		if _, err := s.Commit(ctx, testCommit("a", version, 0)); err != nil {
			t.Errorf("Commit, while the log cannot be carried over: %v", err)
		}
	}
	if !onDisk(t, path, c.Body) {
		t.Error("it is gone although the disk fails: this proves nothing")
	}
	d.fail(nil)
	awaitGone(t, path, c.Body, c.Claim[0].Sealed)
}

// TestErasedByClose: with a handle of the application's own, which stays open, closing
// the store is the last moment.
func TestErasedByClose(t *testing.T) {
	path := filepath.Join(fastDir(t), "keyrack.db")
	db := foreign(t, path)
	defer db.Close()
	s, err := sqlitestore.New(t.Context(), db, &sqlitestore.Options{EraseWithin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	var n int
	if err := db.QueryRow("SELECT count(*) FROM body").Scan(&n); err != nil { // and keeps a connection
		t.Fatal(err)
	}
	c := secretCommit("a")
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.Shred(t.Context(), bodyOf(c), tokenOf(c)); err != nil {
		t.Fatal(err)
	}
	if !onDisk(t, path, c.Body) {
		t.Fatal("it is gone already: this proves nothing")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if onDisk(t, path, c.Body, c.Claim[0].Sealed) {
		t.Error("what was erased is still on the disk after Close")
	}
}

// TestErasedBeforeACrash: what a process erased that then was killed leaves the log
// when the store is opened again.
func TestErasedBeforeACrash(t *testing.T) {
	dir := fastDir(t)
	path := filepath.Join(dir, "keyrack.db")
	d := newDisk(t)
	d.record()
	s, err := sqlitestore.New(t.Context(), d.open(t, path), &sqlitestore.Options{EraseWithin: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	c := secretCommit("a")
	if _, err := s.Commit(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if err := s.Shred(t.Context(), bodyOf(c), tokenOf(c)); err != nil {
		t.Fatal(err)
	}
	p := &platter{certain: map[string][]byte{}, pending: map[string][]op{}, known: acknowledged{}}
	for _, o := range d.recorded() {
		p.then(o)
	}
	s.Close()
	left := filepath.Join(dir, "left.db")
	for name, b := range p.certain {
		writeFile(t, filepath.Join(dir, "left"+name[len("keyrack"):]), b)
	}
	if !onDisk(t, left, c.Body) {
		t.Fatal("the log that was left does not hold it: this proves nothing")
	}
	mustOpen(t, left, &sqlitestore.Options{EraseWithin: 50 * time.Millisecond})
	awaitGone(t, left, c.Body, c.Claim[0].Sealed)
}

func writeFile(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
