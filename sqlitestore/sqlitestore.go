// Package sqlitestore is a [store.Store] in one file on one machine: commits come
// in, and once Commit has returned they survive whatever happens to the process,
// the system and the power. It is SQLite in pure Go, without cgo.
//
// # What is durable
//
// The database is in WAL mode with synchronous=FULL; both are read back, and the
// store does not open without them. Commits that arrive while another is being
// synced share the next transaction and its sync, each answered only after that.
// One that is alone waits for nobody.
//
// # Who else may use the file
//
// Any number of processes of one machine may open the same file, to read and to
// write: no state is kept in memory, and a writer waits its turn, up to
// Options.BusyTimeout. Reading never waits for writing. The file must be on a
// local disk, since network file systems do not share memory and lose locks; and a
// process must not open and close the file by other means than SQLite while
// the store is open, since POSIX drops its locks then.
//
// All of it can be read with the sqlite3 command; the views journal and
// integrations are for people.
//
// # What is erased
//
// What is erased, re-sealed or trimmed is overwritten with zeros in the file, and
// leaves the write-ahead log beside it within Options.EraseWithin, or when the store
// is closed if that comes first. Only a program that goes on reading, in a
// transaction that began before, can delay that; it is tried again and again.
// [Store.Checkpoint] does it at once. What the disk itself keeps of blocks that were
// overwritten is beyond SQLite.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/keyrack-dev/keyrack/store"
)

// Options are what Open and New may be told. The zero value of each has a stated
// meaning.
type Options struct {
	// BusyTimeout is how long a commit waits for another process that writes. 0
	// means 3 s.
	BusyTimeout time.Duration
	// Readers is how many connections read at the same time. 0 means
	// 4.
	Readers int
	// CheckpointPages is how long the write-ahead log grows, in pages of usually
	// 4 KiB, before a commit carries it over into the database. 0 means
	// 4096.
	CheckpointPages int
	// EraseWithin is how long what was erased may stay in the write-ahead log. 0
	// means a minute. The log is emptied at most once in that time; until
	// it has grown again, commits take longer, since the file system then has its
	// size to write, too.
	EraseWithin time.Duration
	// Fsync leaves it to the process how SQLite syncs. Without it, Open switches
	// the driver to fdatasync, for the whole process: as durable, and up to twice
	// as fast, since the times of files are left out. New never does.
	Fsync bool
}

const (
	defaultBusyTimeout     = 3 * time.Second
	defaultReaders         = 4
	defaultCheckpointPages = 4096
	defaultEraseWithin     = time.Minute
)

func (o *Options) busyTimeout() time.Duration {
	if o == nil || o.BusyTimeout <= 0 {
		return defaultBusyTimeout
	}
	return o.BusyTimeout
}

func (o *Options) readers() int {
	if o == nil || o.Readers <= 0 {
		return defaultReaders
	}
	return o.Readers
}

func (o *Options) checkpointPages() int {
	if o == nil || o.CheckpointPages <= 0 {
		return defaultCheckpointPages
	}
	return o.CheckpointPages
}

func (o *Options) eraseWithin() time.Duration {
	if o == nil || o.EraseWithin <= 0 {
		return defaultEraseWithin
	}
	return o.EraseWithin
}

// Store keeps all promises of [store.Store], in a file. It is safe for concurrent
// use, by several processes too. Make one with Open or New, and Close it.
//
// Its leases run by the wall clock of the machine. Its errors unwrap to
// the sentinels of package store, of this package, or of context.
type Store struct {
	db      *sql.DB
	owned   bool // db is closed with the store
	writer  *writer
	readers readers
	setup   setup
	closing sync.Once
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a file, and makes the file, for its owner's eyes alone,
// if there is none; the folder must be there. It starts one goroutine, which Close
// ends. nil options mean the zero Options. The context bounds the opening alone.
//
// Errors are ErrNewer, ErrForeign, ErrNotDurable, or those of any other method.
func Open(ctx context.Context, path string, opts *Options) (*Store, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, ErrNotDurable
	}
	if opts == nil || !opts.Fsync {
		_, _ = sqlite.Fdatasync(true) // where there is none, fsync it is
	}
	if err := create(path); err != nil {
		return nil, err
	}
	address, err := dataSource(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", address)
	if err != nil {
		return nil, failure(ctx, err)
	}
	s, err := New(ctx, db, opts)
	if err != nil {
		_ = db.Close()
		return nil, unopened(path, err)
	}
	s.owned = true
	return s, nil
}

// create makes an empty file, unless there is one. SQLite would make it too, but
// readable to everybody.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	switch {
	case err == nil:
		if err := f.Close(); err != nil {
			return &Error{kind: ErrIO}
		}
		return nil
	case errors.Is(err, os.ErrExist):
		return nil // opened by nobody but SQLite, because of its locks
	default:
		return ioError(err)
	}
}

// unopened explains why a file could not be opened: SQLite does not tell a folder
// that it cannot write to from one that is not there.
func unopened(path string, err error) error {
	if failed, ok := errors.AsType[*Error](err); !ok || failed.Code&0xff != codeCantOpen {
		return err
	}
	probe, failed := os.CreateTemp(filepath.Dir(path), "keyrack-*")
	if failed != nil {
		return ioError(failed)
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return err
}

// dataSource returns the address of a file for the driver, whatever characters
// the path has. It does not make the file.
func dataSource(path string) (string, error) {
	whole, err := filepath.Abs(path)
	if err != nil {
		return "", &Error{kind: ErrIO}
	}
	slashed := filepath.ToSlash(whole)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/...
	}
	u := url.URL{Scheme: "file", Path: slashed, RawQuery: "mode=rw"}
	return u.String(), nil
}

// New opens the store in the database of a handle of the application's own, of the
// driver modernc.org/sqlite, which may have been wrapped. The database must be
// Keyrack's alone. The store takes Options.Readers + 2 connections out of the
// pool and closes them with itself: a pool that is limited to fewer is ErrPool. The
// handle must stay open until the store is closed. Otherwise New is as Open.
func New(ctx context.Context, db *sql.DB, opts *Options) (*Store, error) {
	return open(ctx, db, opts, nil)
}

func open(ctx context.Context, db *sql.DB, opts *Options, rewrite func(string) string) (*Store, error) {
	if most := db.Stats().MaxOpenConnections; most > 0 && most < opts.readers()+2 {
		return nil, ErrPool
	}
	s := &Store{
		db: db,
		setup: setup{
			busy:       opts.busyTimeout(),
			checkpoint: opts.checkpointPages(),
			erase:      opts.eraseWithin(),
			rewrite:    rewrite,
		},
		readers: newReaders(opts.readers()),
	}
	l, err := s.dial(ctx, true)
	if err != nil {
		return nil, failure(ctx, err)
	}
	s.writer = startWriter(s, l)
	return s, nil
}

// Close ends the store: what was begun is finished, what comes after is ErrClosed.
// It waits for both. The handle that was given to New stays open. Closing
// twice does nothing.
func (s *Store) Close() error {
	var err error
	s.closing.Do(func() {
		s.readers.close()
		s.writer.close()
		if s.owned {
			err = failure(context.Background(), s.db.Close())
		}
	})
	return err
}
