package pgstore

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pools are the pool of a store and, once a pooler in transaction mode was found, its former
// one.
type pools struct {
	current atomic.Pointer[pgxpool.Pool]
	owned   bool   // they are closed with the store, and may be replaced
	told    func() // about a pooler; never nil

	mu     sync.Mutex
	former *pgxpool.Pool // nil: no pooler was found
	closed bool
}

func (p *pools) open(pool *pgxpool.Pool, owned bool, opts *Options) {
	p.owned, p.told = owned, func() {}
	if opts != nil && opts.OnPooler != nil {
		p.told = opts.OnPooler
	}
	p.current.Store(pool)
}

// throughPooler makes a pool's configuration fit for a pooler in transaction mode. A mode that
// is in the URL stays.
func throughPooler(config *pgxpool.Config) {
	if config.ConnConfig.DefaultQueryExecMode == pgx.QueryExecModeCacheStatement {
		config.ConnConfig.DefaultQueryExecMode = pgx.QueryExecModeCacheDescribe
	}
}

// found says that a pooler in transaction mode is between. It reports whether what failed for
// that makes sense once more, because the pool is another now.
func (p *pools) found() bool {
	again, first := p.replace()
	if first {
		p.told()
	}
	return again
}

// replace replaces the pool, the first time.
func (p *pools) replace() (again, first bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.owned || p.closed {
		return false, false
	}
	if p.former != nil {
		// It may have begun on the former pool. The current one prepares nothing.
		return true, false
	}
	config := p.current.Load().Config()
	throughPooler(config)
	pool, err := pgxpool.NewWithConfig(context.Background(), config) // connects when it is used
	if err != nil {
		return false, false
	}
	p.former = p.current.Swap(pool)
	p.former.Reset() // what is in use is closed afterwards
	return true, true
}

func (p *pools) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	if !p.owned {
		return
	}
	if p.former != nil {
		p.former.Close()
	}
	p.current.Load().Close()
}

// pool returns the pool to use now.
func (s *Store) pool() *pgxpool.Pool { return s.pools.current.Load() }
