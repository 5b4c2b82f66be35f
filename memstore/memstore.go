// Package memstore is a [store.Store] in memory, which ends with the process. Keyrack
// uses it by default, and other stores are measured against it.
//
// Its size is bounded by the number of integrations and by the limit of its journal,
// never by the number of commits. When the journal is full, each new entry removes the
// oldest one, as Trim would.
package memstore

import (
	"context"
	"crypto/rand"
	"sync"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Options are the choices of New. The zero value of each field has a stated meaning.
type Options struct {
	// JournalLimit is how many entries the journal keeps, over all integrations. 0 or
	// less means 16384, which takes some 40 MB with bodies of the size that Mews sends.
	// An entry takes its evidence, decision and sealed body, the record after it, and
	// about 300 bytes.
	JournalLimit int
}

const defaultJournalLimit = 16384

func (o *Options) journalLimit() int {
	if o == nil || o.JournalLimit <= 0 {
		return defaultJournalLimit
	}
	return o.JournalLimit
}

// Store keeps all promises of [store.Store] except survival: a commit lasts as long as
// the process. It is safe for concurrent use, starts no goroutine and need not be
// closed. Make one with New.
//
// An entry that the limit removes takes its id with it, so only the most recent
// commits, as many as the limit says, can be repeated.
type Store struct {
	limit  int
	leases leases

	// mu guards everything below. Byte slices that can be reached from here are never
	// written to, so they may be read after the lock is released.
	mu           sync.RWMutex
	integrations map[string]*integration
	nameless     *integration // the entries without an integration
	keys         map[lifecycle.Digest]*key
	journal      journal
	entries      map[store.EntryID]*entry // those in the journal
	named        map[string]*[]byte       // sealed values with a name
	incarnation  string
	order        order
}

var _ store.Store = (*Store)(nil)

// New returns an empty store. Nil means the zero Options.
func New(opts *Options) *Store {
	return &Store{
		limit:        opts.journalLimit(),
		integrations: map[string]*integration{},
		nameless:     &integration{},
		keys:         map[lifecycle.Digest]*key{},
		entries:      map[store.EntryID]*entry{},
		named:        map[string]*[]byte{},
		incarnation:  rand.Text(),
	}
}

// Incarnation names the store's history.
func (s *Store) Incarnation(ctx context.Context) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.incarnation, nil
}

// Renew gives the store a new incarnation.
func (s *Store) Renew(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.incarnation = rand.Text()
	return nil
}

// clone returns a copy of b, nil for an empty one.
func clone(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	c := make([]byte, len(b)) // this form does not zero it first
	copy(c, b)
	return c
}

// clonePair returns copies of a and b that share one allocation but no byte.
func clonePair(a, b []byte) ([]byte, []byte) {
	n := len(a)
	both := make([]byte, n+len(b))
	copy(both, a)
	copy(both[n:], b)
	return both[:n:n], both[n:]
}

// cloneEntry returns a copy of e with slices of its own.
func cloneEntry(e store.Entry) store.Entry {
	e.Evidence, e.Decision = clonePair(e.Evidence, e.Decision)
	return e
}
