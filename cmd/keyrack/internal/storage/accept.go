package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// logs are what the names of the files beside a SQLite database end in.
var logs = []string{"-wal", "-shm"}

// Accept puts a backup in the place of a SQLite store, which may be missing. It works on a
// copy: prepare is called with its URL, and unless that fails the copy takes the store's
// place. What was there is kept under another name, which Accept returns; empty if nothing
// was there. The backup stays as it is. Nobody may work on the store meanwhile.
func (u URL) Accept(ctx context.Context, backup string, prepare func(URL) error) (kept string, err error) {
	state, err := inspect(u.at)
	if err != nil {
		return "", err
	}
	switch of, err := inspect(backup); {
	case err != nil:
		return "", err
	case of != there:
		return "", fmt.Errorf("there is no backup at %s", backup)
	}
	if same(backup, u.at) {
		return "", fmt.Errorf("%s is the store itself, not a backup of it; leave the file out to accept what it holds", backup)
	}
	draft := u
	draft.at = u.at + ".accepting"
	defer func() { err = errors.Join(err, draft.remove()) }()
	if err := draft.remove(); err != nil { // of an attempt that was cut off
		return "", err
	}
	if err := copyDatabase(backup, draft.at); err != nil {
		return "", fmt.Errorf("copying the backup: %w", err)
	}
	err = draft.With(ctx, func(s store.Store) error {
		return s.(*sqlitestore.Store).Check(ctx)
	})
	if err != nil {
		return "", fmt.Errorf("the backup %s: %w", backup, err)
	}
	if err := prepare(draft); err != nil {
		return "", err
	}
	if err := syncFile(draft.at); err != nil {
		return "", err
	}
	if state == there {
		if err := u.quiet(ctx); err != nil {
			return "", err
		}
	}
	if kept, err = u.keep(); err != nil {
		return kept, err
	}
	if err := os.Rename(draft.at, u.at); err != nil {
		return kept, err
	}
	return kept, syncFile(filepath.Dir(u.at))
}

// quiet has a store carry its log over, so that the database is whole without it. The error
// says so if somebody still works on it. A store that does not open is left as it is.
func (u URL) quiet(ctx context.Context) error {
	if s, err := u.Open(ctx); err == nil {
		if err := s.Close(); err != nil {
			return err
		}
		if _, err := os.Lstat(u.at + "-wal"); err == nil {
			return fmt.Errorf("%v is in use; end the sidecar, or whatever else works on it, and accept the backup again", u)
		}
	}
	return nil
}

// keep gives what is in a store's place another name. What lies beside the database goes
// first: a database never meets the log of another. The database keeps its old name as well,
// where the file system can do that, so that there is a store at any moment.
func (u URL) keep() (kept string, err error) {
	kept = u.at + ".before-" + time.Now().UTC().Format("20060102T150405.000Z")
	for _, end := range logs {
		if err := os.Rename(u.at+end, kept+end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	if err := os.Link(u.at, kept); err == nil {
		return kept, nil
	}
	switch err := os.Rename(u.at, kept); {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", err
	}
	return kept, nil
}

// remove removes a database with what lies beside it.
func (u URL) remove() error {
	for _, end := range append(logs, "") {
		if err := os.Remove(u.at + end); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// copyDatabase copies a database with its log, which may hold the newest of it.
func copyDatabase(from, to string) error {
	for _, end := range []string{"-wal", ""} {
		source, err := os.Open(from + end)
		if end != "" && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		copied, err := os.OpenFile(to+end, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = io.Copy(copied, source)
			err = errors.Join(err, copied.Close())
		}
		if err = errors.Join(err, source.Close()); err != nil {
			return err
		}
	}
	return nil
}

// syncFile makes a file, or the names in a folder, durable.
func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	_ = f.Sync() // Windows cannot sync a folder, and does not need to
	return f.Close()
}

// same reports whether two paths are of one file.
func same(a, b string) bool {
	one, err := os.Stat(a)
	if err != nil {
		return false
	}
	two, err := os.Stat(b)
	return err == nil && os.SameFile(one, two)
}
