package history

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"sync"

	"github.com/keyrack-dev/keyrack/store"
)

// ErrBack: the store has another history than the one that was read.
var ErrBack = errors.New("keyrack: the store went back to an earlier state")

var (
	errIncarnation = fmt.Errorf("%w: it has another incarnation", ErrBack)
	errBehind      = fmt.Errorf("%w: its journal ends before what was read", ErrBack)
	errReplaced    = fmt.Errorf("%w: another entry stands where one was read", ErrBack)
	errGone        = fmt.Errorf("%w: an entry is gone that was neither trimmed nor forgotten", ErrBack)
)

// ErrVersion: a version of an integration was made by another entry than the known one.
var ErrVersion = fmt.Errorf("%w: another entry made a version that is known", ErrBack)

// Store is the part of a store that a Reader needs.
type Store interface {
	Load(ctx context.Context, integration string) (store.Stored, error)
	Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error]
	History(ctx context.Context, integration string, after store.EntryID) iter.Seq2[store.Entry, error]
	Bounds(ctx context.Context) (first, last store.Position, err error)
	Incarnation(ctx context.Context) (string, error)
}

// remembered is how many of the last entries a Reader knows.
const remembered = 1024

// mark is an entry in its place; the zero ID means that nobody knows which it was.
type mark struct {
	position    store.Position
	id          store.EntryID
	integration string
	version     uint64
}

// expectation is an entry that was committed, or whose record was loaded, and that the
// journal has to show.
type expectation struct {
	version uint64
	id      store.EntryID
	since   uint64 // the look that was the latest then
}

// Reader reads a journal. Make one with New. Expect, Position and Intact are safe for
// concurrent use with all methods; the others are called one at a time.
type Reader struct {
	store Store

	mu          sync.Mutex
	incarnation string
	at          mark
	known       []mark // the last ones read, in order
	looks       uint64
	unlearned   bool                   // nobody has asked yet which entry stands at the position
	expected    map[string]expectation // by integration, the newest
}

// New returns a Reader that begins at the end of the journal.
func New(ctx context.Context, s Store) (*Reader, error) {
	r := &Reader{store: s}
	incarnation, last, err := Where(ctx, s)
	if err == nil {
		r.Restart(incarnation, last)
		err = r.learn(ctx)
	}
	return r, err
}

// Where returns a store's incarnation, and where its journal ends.
func Where(ctx context.Context, s Store) (incarnation string, last store.Position, err error) {
	if incarnation, err = s.Incarnation(ctx); err == nil {
		_, last, err = s.Bounds(ctx)
	}
	return incarnation, last, err
}

// Restart makes the Reader go on from a position, with what it knew forgotten.
func (r *Reader) Restart(incarnation string, at store.Position) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.incarnation, r.at, r.known, r.unlearned = incarnation, mark{position: at}, nil, true
	r.expected = make(map[string]expectation)
}

// learn finds out which entry stands at the Reader's position, if it is still there.
func (r *Reader) learn(ctx context.Context) error {
	r.mu.Lock()
	at, unlearned := r.at.position, r.unlearned
	r.mu.Unlock()
	if at == 0 || !unlearned {
		return nil
	}
	for e, err := range r.store.Journal(ctx, at-1) {
		if err != nil {
			if errors.Is(err, store.ErrTrimmed) {
				break
			}
			return err
		}
		if e.Position == at {
			r.reached(e)
		}
		break
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.unlearned = false
	return nil
}

// Position returns how far the journal was read.
func (r *Reader) Position() store.Position {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at.position
}

func (r *Reader) place() (at mark, incarnation string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.at, r.incarnation
}

// Expect notes that an entry made a version of an integration, which the journal has to
// show. The zero entry is not known, and not expected.
func (r *Reader) Expect(integration string, version uint64, entry store.EntryID) {
	if entry.IsZero() {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.expected[integration].version < version {
		r.expected[integration] = expectation{version, entry, r.looks}
	}
}

// reached notes an entry that was read.
func (r *Reader) reached(e store.Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.at, r.unlearned = mark{e.Position, e.ID, e.Integration, e.Version}, false
	if len(r.known) >= 2*remembered {
		r.known = append(r.known[:0], r.known[remembered:]...)
	}
	r.known = append(r.known, r.at)
	if want, ok := r.expected[e.Integration]; ok && want.version == e.Version && want.id == e.ID {
		delete(r.expected, e.Integration)
	}
}

// Look reads what is new, and calls take with each entry. Its error is ErrBack if the store
// went back, store.ErrTrimmed if entries were missed, the store's, or that of take, whose
// entry is then not passed.
func (r *Reader) Look(ctx context.Context, take func(store.Entry) error) error {
	if err := r.learn(ctx); err != nil {
		return err
	}
	due := r.begin()
	if err := r.read(ctx, take); err != nil {
		return err
	}
	for integration, want := range due {
		if err := r.settle(ctx, integration, want); err != nil {
			return err
		}
	}
	return nil
}

// begin begins a look, which has to show what it returns.
func (r *Reader) begin() map[string]expectation {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.looks++
	due := make(map[string]expectation, len(r.expected))
	maps.Copy(due, r.expected)
	return due
}

func (r *Reader) read(ctx context.Context, take func(store.Entry) error) error {
	at, known := r.place()
	if incarnation, err := r.store.Incarnation(ctx); err != nil {
		return err
	} else if incarnation != known {
		return errIncarnation
	}
	compare := !at.id.IsZero()
	for {
		after := at.position
		if compare {
			after-- // the entry that stood there comes first
		}
		err := r.readAfter(ctx, after, at, compare, take)
		if !compare || !errors.Is(err, store.ErrTrimmed) || r.Position() != at.position {
			return err
		}
		compare = false // it was trimmed, and the first that was not may come next
	}
}

func (r *Reader) readAfter(ctx context.Context, after store.Position, at mark, compare bool, take func(store.Entry) error) error {
	none := true
	for e, err := range r.store.Journal(ctx, after) {
		if err != nil {
			return err
		}
		none = false
		if compare {
			compare = false
			switch {
			case e.Position != at.position:
				if err := r.missed(ctx, at); err != nil {
					return err
				}
			case e.ID != at.id:
				return errReplaced
			default:
				continue
			}
		}
		if err := take(e); err != nil {
			return err
		}
		r.reached(e)
	}
	if !none {
		return nil
	}
	if _, last, err := r.store.Bounds(ctx); err != nil {
		return err
	} else if last < at.position {
		return errBehind
	}
	if compare {
		return r.missed(ctx, at)
	}
	return nil
}

// missed finds out why an entry is gone. If it was trimmed or forgotten, it is not looked
// for again.
func (r *Reader) missed(ctx context.Context, of mark) error {
	stored, err := r.store.Load(ctx, of.integration)
	if errors.Is(err, store.ErrNotFound) {
		return errGone
	}
	if err == nil && stored.BaseVersion < of.version {
		return errGone
	}
	if err == nil {
		r.mu.Lock()
		r.at.id = store.EntryID{}
		r.mu.Unlock()
	}
	return err
}

// settle finds out what became of an entry that a look should have shown.
func (r *Reader) settle(ctx context.Context, integration string, want expectation) error {
	r.mu.Lock()
	still := r.expected[integration] == want
	r.mu.Unlock()
	if !still {
		return nil
	}
	stored, err := r.store.Load(ctx, integration)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	// It may have been noted a moment after it was read.
	if has, err := r.Has(ctx, stored, want.version, want.id); err != nil {
		return err
	} else if !has {
		return errGone
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.expected[integration] == want {
		delete(r.expected, integration)
	}
	return nil
}

// Intact reports whether the store still has what was read last; if not the error is
// ErrBack. It reads nothing new.
func (r *Reader) Intact(ctx context.Context) error {
	at, known := r.place()
	if incarnation, err := r.store.Incarnation(ctx); err != nil {
		return err
	} else if incarnation != known {
		return errIncarnation
	}
	if at.id.IsZero() {
		return nil
	}
	for e, err := range r.store.Journal(ctx, at.position-1) {
		switch {
		case errors.Is(err, store.ErrTrimmed):
			return nil
		case err != nil:
			return err
		case e.Position != at.position:
			return r.missed(ctx, at)
		case e.ID != at.id:
			return errReplaced
		}
		return nil
	}
	return errBehind
}

// Has reports whether an entry made a version of an integration, in the history that the
// store has now. One that was trimmed or forgotten cannot be told, and counts as there.
func (r *Reader) Has(ctx context.Context, stored store.Stored, version uint64, id store.EntryID) (bool, error) {
	switch {
	case stored.Version < version:
		return false, nil
	case id.IsZero(), stored.BaseVersion >= version:
		return true, nil
	case stored.Version == version:
		return stored.Last == id || stored.Last.IsZero(), nil
	}
	for e, err := range r.store.History(ctx, stored.Integration, store.EntryID{}) {
		if err != nil {
			return false, err
		}
		if e.Version == version {
			return e.ID == id, nil
		}
	}
	now, err := r.store.Load(ctx, stored.Integration) // it may have been trimmed meanwhile
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	return now.BaseVersion >= version, err
}

// Fork returns the last position up to which the journal that was read and the store's are
// the same, as far as the Reader remembers: if it remembers nothing, where the journal begins.
func (r *Reader) Fork(ctx context.Context) (store.Position, error) {
	r.mu.Lock()
	known := append([]mark(nil), r.known...)
	r.mu.Unlock()
	first, _, err := r.store.Bounds(ctx)
	if err != nil || len(known) == 0 {
		return first, err
	}
	ids := make(map[store.EntryID]store.Position, len(known))
	for _, m := range known {
		ids[m.id] = m.position
	}
	same := first
	for e, err := range r.store.Journal(ctx, max(first, known[0].position-1)) {
		if err != nil {
			return 0, err
		}
		if position, ok := ids[e.ID]; !ok || position != e.Position {
			break
		}
		same = e.Position
	}
	return same, nil
}
