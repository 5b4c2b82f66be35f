package pgstore

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyrack-dev/keyrack/store"
)

// Options are the choices of Open and New. The zero value of each field has a stated
// meaning.
type Options struct {
	// Schema is the database schema that holds everything, at most 63 bytes. Empty
	// means "keyrack". It is also the name of the channel of NOTIFY.
	Schema string
	// SkipMigrations leaves the schema as it is: the application or an administrator
	// has called Migrate or run the files in Migrations. The store does not open if the
	// schema is not up to date.
	SkipMigrations bool
	// Poll is how long News waits without hearing anything before it sends a value. 0
	// or less means 250 ms.
	Poll time.Duration
	// NoListen turns LISTEN and NOTIFY off: News only polls.
	NoListen bool
	// Pooler is for Open and a URL that leads to a connection pooler in transaction
	// mode. Nothing is prepared on the server, and NoListen is implied. A store that Open
	// made finds out by itself, but only once the pooler has got in its way. An application
	// that passes its pool to New sets that pool's DefaultQueryExecMode instead;
	// pgx.QueryExecModeCacheDescribe is best.
	Pooler bool
	// OnPooler is called once, from any goroutine, when a store finds out by itself that a
	// pooler in transaction mode is between. From then on it does as with Pooler. It must not
	// block. nil means that nobody is told.
	OnPooler func()
}

const (
	defaultSchema = "keyrack"
	defaultPoll   = 250 * time.Millisecond
)

func (o *Options) schema() string {
	if o == nil || o.Schema == "" {
		return defaultSchema
	}
	return o.Schema
}

func (o *Options) poll() time.Duration {
	if o == nil || o.Poll <= 0 {
		return defaultPoll
	}
	return o.Poll
}

func (o *Options) listens() bool { return o == nil || !o.NoListen && !o.Pooler }

// Store keeps all promises of [store.Store], in a PostgreSQL database that any number
// of processes may use at the same time. It is safe for concurrent use. Make one with
// Open or New, and Close it.
//
// Its leases run by the clock of the database, and end whatever that says once another
// process has seen them unrenewed for their length. Its errors unwrap to the sentinels of
// package store, of this package, or of context.
type Store struct {
	pools      pools
	schema     string
	statements sync.Map // rewritten for the schema, by the statement
	poll       time.Duration
	notifier   *notifier     // nil without LISTEN and NOTIFY
	hearWithin time.Duration // what is sent to oneself
	closed     atomic.Bool
	stop       context.CancelFunc
	done       sync.WaitGroup
	sightings  sightings // of leases
}

var _ store.Store = (*Store)(nil)

// Open connects to the database that a URL, or a string of keywords and values, names.
// It brings the schema up to date unless the options say otherwise. nil options mean
// the zero Options. The context bounds only the opening.
//
// pgx reads the URL. Settings of the pool such as pool_max_conns belong in it. If it
// names several hosts, add target_session_attrs=read-write. Errors are ErrSettings, or
// those of New.
func Open(ctx context.Context, url string, opts *Options) (*Store, error) {
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, ErrSettings // the error quotes the URL
	}
	if opts != nil && opts.Pooler {
		throughPooler(config)
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, failure(ctx, err)
	}
	s, err := newStore(ctx, pool, true, opts)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// New is Open with a pool of the application's. The application closes the pool, after
// the store. Unless NOTIFY is off New starts a goroutine, which Close ends.
//
// Errors are ErrNewer, ErrNotMigrated, ErrNotDurable, or those of any other method.
func New(ctx context.Context, pool *pgxpool.Pool, opts *Options) (*Store, error) {
	return newStore(ctx, pool, false, opts)
}

func newStore(ctx context.Context, pool *pgxpool.Pool, owned bool, opts *Options) (_ *Store, err error) {
	s := &Store{schema: opts.schema(), poll: opts.poll(), hearWithin: hearWithin, stop: func() {}}
	s.pools.open(pool, owned, opts)
	defer func() {
		if err != nil {
			s.pools.close()
		}
	}()
	if len(s.schema) > 63 {
		return nil, fmt.Errorf("%w: Options.Schema has %d bytes; it must have at most 63", ErrSettings, len(s.schema))
	}
	if s.poll < time.Millisecond || s.poll > 24*time.Hour {
		return nil, fmt.Errorf("%w: Options.Poll is %v; it must be from 1ms to 24h, or 0 for the default", ErrSettings, s.poll)
	}
	if err := s.prepare(ctx, opts); err != nil {
		return nil, err
	}
	if opts.listens() {
		var background context.Context
		background, s.stop = context.WithCancel(context.Background())
		s.notifier = newNotifier()
		s.done.Go(func() { s.tell(background) })
	}
	return s, nil
}

// prepare checks and migrates the schema, and checks that commits are durable.
func (s *Store) prepare(ctx context.Context, opts *Options) error {
	if opts != nil && opts.SkipMigrations {
		if err := s.run(ctx, freely, func() error { return checkVersion(ctx, s.pool(), s.schema) }); err != nil {
			return err
		}
	} else if err := migrate(ctx, s.pool(), s.schema, len(migrations(s.schema))); err != nil {
		return err
	}
	var level string
	err := s.row(ctx, freely, ErrOther, "select coalesce(current_setting('synchronous_commit', true), '')", nil, &level)
	if err == nil && level == "off" {
		return ErrNotDurable
	}
	return err
}

// Close ends the background work and waits for it. If Open made the pool, Close closes
// it once all calls have ended. The channels of News end with their contexts.
func (s *Store) Close() error {
	s.closed.Store(true)
	s.stop()
	s.done.Wait()
	s.pools.close()
	return nil
}
