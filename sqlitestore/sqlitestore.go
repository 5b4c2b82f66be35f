// Package sqlitestore is a [store.Store] in one file on one machine. Once Commit has
// returned, a commit survives whatever happens to the process, the system and the
// power. The package uses SQLite in pure Go, without cgo.
//
// # What is durable
//
// The database is in WAL mode with synchronous=FULL. The store reads both back and does
// not open without them. Commits that arrive while another one is being synced share
// the next transaction and its sync, and each is answered only after that. A single
// commit waits for nobody.
//
// # Who else may use the file
//
// Any number of processes on one machine may open the same file for reading and
// writing. No state is kept in memory. A writer waits its turn, up to
// Options.BusyTimeout; reading never waits for writing. The file must be on a local
// disk, because network file systems do not share memory and lose locks. While the
// store is open, the process must not open and close the file by other means than
// SQLite, because POSIX would drop SQLite's locks.
//
// Everything can be read with the sqlite3 command. The views journal and integrations
// are for people.
//
// # What is erased
//
// Values that are erased, re-sealed or trimmed are overwritten with zeros in the file.
// They leave the write-ahead log beside it within Options.EraseWithin, or when the
// store is closed if that comes first. Only a program that keeps reading, in a
// transaction that began earlier, can delay that; the store then tries again and again.
// [Store.Checkpoint] does it at once. What the disk itself keeps of overwritten blocks
// is beyond SQLite.
package sqlitestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"

	"github.com/keyrack-dev/keyrack/store"
)

// Options are the choices of Open and New. The zero value of each field has a stated
// meaning.
type Options struct {
	// BusyTimeout is how long a commit waits for another process that writes. 0 means 3
	// s.
	BusyTimeout time.Duration
	// Readers is the number of connections for reading. 0 means 4.
	Readers int
	// CheckpointPages is the size that the write-ahead log may reach, in pages of
	// usually 4 KiB, before a commit copies it into the database. 0 means 4096.
	CheckpointPages int
	// EraseWithin is how long erased values may stay in the write-ahead log. 0 means a
	// minute. The log is emptied at most once in that time. Until it has grown again
	// commits take longer, because the file system has to write its size too.
	EraseWithin time.Duration
	// Fsync leaves it to the process how SQLite syncs. Without it, Open switches the
	// driver to fdatasync for the whole process. That is just as durable and up to
	// twice as fast, because it does not write the file's times. New never does this.
	Fsync bool
}

const (
	defaultBusyTimeout     = 3 * time.Second
	defaultReaders         = 4
	defaultCheckpointPages = 4096
	defaultEraseWithin     = time.Minute
)

// check returns store.ErrInvalid for values that make no sense: it names the option, its value
// and what is allowed.
func (o *Options) check() error {
	if o == nil {
		return nil
	}
	for name, d := range map[string]time.Duration{"BusyTimeout": o.BusyTimeout, "EraseWithin": o.EraseWithin} {
		if d != 0 && (d < time.Millisecond || d > 24*time.Hour) {
			return fmt.Errorf("sqlitestore: %w: Options.%s is %v; it must be from 1ms to 24h, or 0 for the default", store.ErrInvalid, name, d)
		}
	}
	switch {
	case o.Readers < 0 || o.Readers > 1000:
		return fmt.Errorf("sqlitestore: %w: Options.Readers is %d; it must be from 1 to 1000, or 0 for the default", store.ErrInvalid, o.Readers)
	case o.CheckpointPages < 0 || o.CheckpointPages > 1<<30:
		return fmt.Errorf("sqlitestore: %w: Options.CheckpointPages is %d; it must be from 1 to %d, or 0 for the default", store.ErrInvalid, o.CheckpointPages, 1<<30)
	}
	return nil
}

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

// Store keeps all promises of [store.Store], in a file. It is safe for concurrent use,
// also by several processes. Make one with Open or New, and Close it.
//
// Its leases run by the wall clock of the machine, and end whatever that says once another
// process has seen them unrenewed for their length. Its errors unwrap to
// the sentinels of package store, of this package, or of context.
type Store struct {
	db      *sql.DB
	owned   bool // db is closed with the store
	writer  *writer
	readers readers
	setup   setup
	closing sync.Once

	watch     watch
	sightings map[string]sighting // of leases; the goroutine that writes has it to itself
}

var _ store.Store = (*Store)(nil)

// Open opens the store in a file. If there is no file it creates one that only its
// owner can read; the folder must exist. Open starts one goroutine, which Close ends.
// nil options mean the zero Options. The context bounds only the opening.
//
// Errors are ErrPath, ErrNewer, ErrForeign, ErrNotDurable, or those of any other method.
func Open(ctx context.Context, path string, opts *Options) (*Store, error) {
	if path == "" || strings.HasPrefix(path, ":memory:") {
		return nil, ErrNotDurable
	}
	if err := opts.check(); err != nil {
		return nil, err
	}
	if opts == nil || !opts.Fsync {
		_, _ = sqlite.Fdatasync(true) // a system without it uses fsync
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

// create creates an empty file unless there is one. SQLite would create it too, but
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
		return nil // only SQLite may open it, because of its locks
	default:
		return ioError(err)
	}
}

// unopened explains why a file could not be opened: SQLite does not tell a folder
// that it cannot write to from one that is not there, and calls what never was a database a
// damaged one.
func unopened(path string, err error) error {
	failed, ok := errors.AsType[*Error](err)
	if ok && failed.Code&0xff == codeNotADB {
		return &Error{kind: ErrForeign, Code: failed.Code}
	}
	if !ok || failed.Code&0xff != codeCantOpen {
		return err
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return &Error{kind: ErrPath}
	}
	probe, refused := os.CreateTemp(filepath.Dir(path), "keyrack-*")
	if refused != nil {
		return ioError(refused)
	}
	_ = probe.Close()
	_ = os.Remove(probe.Name())
	return err
}

// dataSource returns the address of a file for the driver, whatever characters the path
// has. It does not create the file.
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

// New opens the store on a database handle of the application's, of the driver
// modernc.org/sqlite, which may be wrapped. The database must belong to Keyrack alone.
// The store takes Options.Readers + 2 connections out of the pool and closes them with
// itself; a pool with a lower limit is ErrPool. The handle must stay open until the
// store is closed. Otherwise New works like Open.
func New(ctx context.Context, db *sql.DB, opts *Options) (*Store, error) {
	return open(ctx, db, opts, nil)
}

func open(ctx context.Context, db *sql.DB, opts *Options, rewrite func(string) string) (*Store, error) {
	if err := opts.check(); err != nil {
		return nil, err
	}
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
		readers:   newReaders(opts.readers()),
		sightings: make(map[string]sighting),
	}
	l, err := s.dial(ctx, true)
	if err != nil {
		return nil, failure(ctx, err)
	}
	if err := s.watch.begin(ctx, l); err != nil {
		l.discard()
		return nil, failure(ctx, err)
	}
	s.writer = startWriter(s, l)
	return s, nil
}

// Close finishes the calls that have begun and waits for them; later calls return
// ErrClosed. The handle that was given to New stays open. A second Close does nothing.
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
