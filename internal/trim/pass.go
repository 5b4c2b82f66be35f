package trim

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Pass goes over a store once. The fields down to Unreadable are set before Run.
type Pass struct {
	Store  store.Store
	Now    lifecycle.Instant
	Before lifecycle.Instant // entries from before it are not kept; 0: all are
	Keep   int               // how many entries of one integration are kept; below 0: all
	Worked store.Position    // what comes after it has yet to be handled, and stays
	// Settled is a position up to which no entry is younger than Young.
	Settled store.Position
	// Unreadable is told of an integration whose journal cannot be folded. It is left alone.
	Unreadable func(ctx context.Context, integration string, err error)

	// Trimmed is how many integrations have fewer entries.
	Trimmed int
	left    lifecycle.Instant // nothing that is left is older; 0: nothing is left
}

// Ref is where the store has how far the last pass has looked, in clear.
var Ref = store.Ref{Name: "trimmed"}

// looked is how far a pass has looked. Times are in microseconds since 1970.
type looked struct {
	// Through: no integration has more than Keep entries up to this position, which it could
	// have done without.
	Through store.Position
	Keep    int
	// Oldest: nothing that is left is older.
	Oldest lifecycle.Instant
}

// Run trims what is to be trimmed. An error is the store's.
func (p *Pass) Run(ctx context.Context) error {
	through := min(p.Worked, p.Settled)
	value, err := p.Store.Sealed(ctx, Ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var last looked
	known := err == nil && json.Unmarshal(value, &last) == nil &&
		last.Keep == p.Keep && last.Oldest >= p.Before && last.Through <= through
	if known {
		p.left = last.Oldest
		switch err := p.news(ctx, last.Through); {
		case errors.Is(err, store.ErrTrimmed): // somebody else's limit
			known = false
		case err != nil:
			return err
		}
	}
	if !known {
		p.left = 0
		if err := p.all(ctx); err != nil {
			return err
		}
	}
	next, err := json.Marshal(looked{Through: through, Keep: p.Keep, Oldest: p.left})
	if err != nil || string(next) == string(value) {
		return err
	}
	return p.Store.Reseal(ctx, Ref, value, next)
}

// news looks at the integrations that the journal has entries of after a position, and at
// what belongs to none if it does.
func (p *Pass) news(ctx context.Context, after store.Position) error {
	of := map[string]bool{}
	for e, err := range p.Store.Journal(ctx, after) {
		if err != nil {
			return err
		}
		of[e.Integration] = true
		p.oldest(e.At)
	}
	for id := range of {
		stored, err := store.Stored{}, error(nil)
		if id != "" {
			stored, err = p.Store.Load(ctx, id)
		}
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err == nil {
			err = p.look(ctx, stored)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// all looks at every integration, and at what belongs to none.
func (p *Pass) all(ctx context.Context) error {
	for stored, err := range p.Store.Scan(ctx, "") {
		if err != nil {
			return err
		}
		if stored.Version == stored.BaseVersion {
			continue
		}
		if err := p.look(ctx, stored); err != nil {
			return err
		}
	}
	return p.look(ctx, store.Stored{})
}

func (p *Pass) look(ctx context.Context, stored store.Stored) error {
	err := p.one(ctx, stored)
	if errors.Is(err, ErrUnreadable) {
		p.Unreadable(ctx, stored.Integration, err)
		return nil
	}
	return err
}

// oldest takes up that an entry is left.
func (p *Pass) oldest(at lifecycle.Instant) {
	if p.left == 0 || at < p.left {
		p.left = at
	}
}
