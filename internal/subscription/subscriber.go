package subscription

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/store"
)

// Subscriber works for one name, on one instance. T is what its owner makes of an
// entry. Its fields are set before Run and not changed afterwards.
type Subscriber[T any] struct {
	Name  string
	Store store.Store
	// TTL is how long the name's lease lasts without being renewed.
	TTL time.Duration
	// Begin is the position after which the name begins if it is new.
	Begin store.Position
	// Attempts is how often an entry is tried before it becomes a dead letter.
	Attempts int

	// Parse makes a T of an entry. An entry that it cannot read fails as one does that the
	// handler refuses, and is not parsed again by this instance.
	Parse func(store.Entry) (T, error)
	// Wants reports whether the handler is to hear of a T.
	Wants func(T) bool
	// Handle calls the handler. It must return soon after its context ends, and must not
	// panic. Attempt is 1 for the first.
	Handle func(ctx context.Context, item T, attempt int) error
	// Within, if it is set, is called instead of Handle. It commits the progress with what the
	// handler wrote, or neither. An error other than an *Interrupted is the handler's, and
	// nothing was committed.
	Within func(ctx context.Context, item T, attempt int, p store.Progress) error
	// News returns a channel that is closed when the journal may have grown. It is called
	// before the journal is read, so that no news is missed in between.
	News func() <-chan struct{}
	// Fork returns how often the store went back under this process, and up to which
	// position its journal is still the one that was read when it had done so since times.
	// Nil: it never does.
	Fork func(since int) (at store.Position, count int)
	Log  *slog.Logger

	joined int // how often the store had gone back when the cursor was last put right
}

// stride is how long a subscriber works before it keeps how far it has got and reads
// what the operator wants.
const stride = time.Second

// Run works whenever this instance holds the name's lease, until ctx ends.
func (s *Subscriber[T]) Run(ctx context.Context) {
	k := lease.Keeper{
		Store: s.Store, Name: LeaseName(s.Name), Holder: store.NewEntryID(time.Now()).String(),
		TTL: s.TTL,
	}
	k.Keep(ctx, s.work, func(err error) {
		s.Log.WarnContext(ctx, "a subscription is interrupted", "subscription", s.Name, "error", err)
	})
}

// work reads the journal as long as the lease holds.
func (s *Subscriber[T]) work(ctx context.Context, l store.Lease) error {
	b := backlog[T]{Subscriber: s, lease: l, failing: make(map[string]*queue[T])}
	if err := b.begin(ctx); err != nil {
		return err
	}
	for ctx.Err() == nil {
		news := s.News()
		wait := time.Second
		if err := b.rejoin(ctx); err != nil {
			return err
		}
		paused, err := b.obey(ctx)
		if err == nil && !paused {
			wait, err = b.advance(ctx)
		}
		if err != nil {
			return err
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// beginning is where a new name begins. It is the value of the name's mark until the
// cursor is set, so a crash in between changes nothing.
type beginning struct {
	From *store.Position `json:",omitzero"` // nil: the cursor is set
}

// place returns where the name stands, or where it begins if it is new.
func (s *Subscriber[T]) place(ctx context.Context, l store.Lease) (store.Position, error) {
	ref := markRef(s.Name)
	value, err := s.Store.Sealed(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		if value, err = json.Marshal(beginning{&s.Begin}); err == nil {
			err = s.Store.Reseal(ctx, ref, nil, value)
		}
		if err == nil { // another instance, whose lease ran out, may have come first
			value, err = s.Store.Sealed(ctx, ref)
		}
	}
	if err != nil {
		return 0, err
	}
	var begin beginning
	if err := json.Unmarshal(value, &begin); err != nil {
		return 0, err
	}
	if begin.From == nil {
		at, err := s.Store.Cursor(ctx, l.Name)
		if err != nil {
			return 0, err
		}
		return s.within(ctx, l, at)
	}
	if err := s.Store.Advance(ctx, l, *begin.From); err != nil {
		return 0, err
	}
	return *begin.From, s.Store.Reseal(ctx, ref, value, []byte("{}"))
}

func (s *Subscriber[T]) fork() (at store.Position, count int) {
	if s.Fork == nil {
		return math.MaxUint64, 0
	}
	return s.Fork(s.joined)
}

// within returns a cursor if the journal reaches that far. One that lies beyond its end is
// of a history that the store lost: then the name begins again where the histories part, or
// with what is left of the journal if nobody knows where that is.
func (s *Subscriber[T]) within(ctx context.Context, l store.Lease, at store.Position) (store.Position, error) {
	first, last, err := s.Store.Bounds(ctx)
	if err != nil || at <= last {
		return at, err
	}
	again := first
	if fork, count := s.fork(); count > s.joined {
		again = max(first, min(fork, last))
	}
	return again, s.beginAgain(ctx, l, at, again)
}

// beginAgain moves the cursor back to where the histories part.
func (s *Subscriber[T]) beginAgain(ctx context.Context, l store.Lease, from, at store.Position) error {
	s.Log.ErrorContext(ctx, "the store went back, and a subscription begins again where the histories part; it may repeat changes, with the same ids",
		"subscription", s.Name, "from", uint64(from), "position", uint64(at))
	return s.Store.Advance(ctx, l, at)
}
