package keyrack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/store"
)

// DeadLetter is a change that a subscription's handler failed at for good.
type DeadLetter struct {
	Entry       store.EntryID
	Position    store.Position
	Integration string
	Attempts    int
	At          time.Time // of the last attempt
}

// control is what the operator wants of a subscription. It lies in the store, so
// that it reaches the instance that works, now or later.
type control struct {
	Paused bool            `json:",omitzero"`
	Replay *store.Position `json:",omitzero"` // start again after it; taken away once obeyed
	// Change is the latest wish's own, by which it is known to have got there although
	// it was obeyed already.
	Change store.EntryID `json:",omitzero"`
}

func controlRef(name string) store.Ref { return store.Ref{Name: "subscription " + name + " control"} }

func deadPrefix(name string) string { return "subscription " + name + " dead " }

// Pause stops a subscription, on whatever instance it works, within about a
// second, or after the call that is under way, and across restarts. Nothing is
// lost: Resume goes on where it stood.
func (r *Rack) Pause(ctx context.Context, name string) error {
	return r.control(ctx, name, func(c *control) { c.Paused = true })
}

// Resume lets a paused subscription go on.
func (r *Rack) Resume(ctx context.Context, name string) error {
	return r.control(ctx, name, func(c *control) { c.Paused = false })
}

// Replay has a subscription begin again after a position of the journal, 0 for
// all that is left of it. Its handler sees the same entry ids again. A position
// that the journal has not reached is ErrInvalid.
func (r *Rack) Replay(ctx context.Context, name string, after store.Position) error {
	last, err := r.Latest(ctx)
	if err != nil {
		return err
	}
	if after > last {
		return fmt.Errorf("%w: the journal has not reached that position", ErrInvalid)
	}
	return r.control(ctx, name, func(c *control) { c.Replay = &after })
}

// control changes what is wanted of a subscription.
func (r *Rack) control(ctx context.Context, name string, change func(*control)) error {
	if name == "" {
		return fmt.Errorf("%w: a subscription has a name", ErrInvalid)
	}
	id := store.NewEntryID(r.clock.now())
	for range attempts {
		c, old, err := r.controls(ctx, name)
		if err != nil {
			return err
		}
		if c.Change == id {
			return nil
		}
		change(&c)
		c.Change = id
		if err := r.putControl(ctx, name, c, old); err != nil {
			return err
		}
	}
	return fmt.Errorf("keyrack: subscription: %w", store.ErrConflict)
}

// controls reads what is wanted of a subscription. Names of subscriptions are no
// secrets, so this one is not sealed.
func (r *Rack) controls(ctx context.Context, name string) (c control, old []byte, err error) {
	old, err = r.store.Sealed(ctx, controlRef(name))
	if errors.Is(err, store.ErrNotFound) {
		return control{}, nil, nil
	}
	if err == nil {
		err = json.Unmarshal(old, &c)
	}
	return c, old, err
}

func (r *Rack) putControl(ctx context.Context, name string, c control, old []byte) error {
	wanted, err := json.Marshal(c)
	if err != nil {
		return err
	}
	return r.store.Reseal(ctx, controlRef(name), old, wanted)
}

// obey does what the operator wants.
func (b *backlog) obey(ctx context.Context) (paused bool, err error) {
	c, old, err := b.rack.controls(ctx, b.name)
	if err != nil || c.Replay == nil {
		return c.Paused, err
	}
	if err := b.rack.store.Advance(ctx, b.lease, *c.Replay); err != nil {
		return false, err
	}
	b.read, b.kept = *c.Replay, *c.Replay
	clear(b.failing)
	b.waiting = 0
	c.Replay = nil
	return c.Paused, b.rack.putControl(ctx, b.name, c, old)
}

// SubscriptionState is where a subscription stands.
type SubscriptionState struct {
	Name     string
	Position store.Position // everything up to it is done
	Paused   bool
	Dead     int // dead letters
}

// Subscriptions returns all subscriptions that the store knows of, whether an
// instance runs them or not, by name.
func (r *Rack) Subscriptions(ctx context.Context) ([]SubscriptionState, error) {
	states := map[string]*SubscriptionState{}
	dead := map[string]int{}
	for ref, err := range r.store.ScanSealed(ctx) {
		if err != nil {
			return nil, err
		}
		if name, ok := strings.CutPrefix(ref.Name, subscriptionMark); ok {
			states[name] = &SubscriptionState{Name: name}
		} else if at := strings.LastIndex(ref.Name, " "); at >= 0 {
			dead[ref.Name[:at+1]]++
		}
	}
	all := make([]SubscriptionState, 0, len(states))
	for name, state := range states {
		at, err := r.store.Cursor(ctx, leaseOf(name))
		if err != nil {
			return nil, err
		}
		c, _, err := r.controls(ctx, name)
		if err != nil {
			return nil, err
		}
		state.Position, state.Paused, state.Dead = at, c.Paused, dead[deadPrefix(name)]
		all = append(all, *state)
	}
	slices.SortFunc(all, func(a, b SubscriptionState) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}

// Lags returns by how many positions of the journal the subscriptions that run
// here are behind its newest entry, by name, whichever instance works on them
// now. The store is asked once for each.
func (r *Rack) Lags(ctx context.Context) (map[string]uint64, error) {
	r.mu.Lock()
	names := slices.Collect(maps.Keys(r.running))
	r.mu.Unlock()
	if len(names) == 0 {
		return nil, nil
	}
	latest, err := r.Latest(ctx)
	if err != nil {
		return nil, err
	}
	lags := make(map[string]uint64, len(names))
	for _, name := range names {
		at, err := r.store.Cursor(ctx, leaseOf(name))
		if err != nil {
			return nil, err
		}
		lags[name] = uint64(latest - min(at, latest))
	}
	return lags, nil
}

// Unsubscribe forgets a subscription that no instance runs any more: its dead
// letters and what was wanted of it. The journal no longer waits for it.
func (r *Rack) Unsubscribe(ctx context.Context, name string) error {
	letters, err := r.DeadLetters(ctx, name)
	if err != nil {
		return err
	}
	if err := r.Discard(ctx, name, letters...); err != nil {
		return err
	}
	return r.store.Shred(ctx, controlRef(name), store.Ref{Name: subscriptionMark + name})
}

// bury keeps a dead letter.
func (r *Rack) bury(ctx context.Context, name string, e Entry, attempts int) error {
	letter, err := json.Marshal(DeadLetter{e.ID, e.Position, e.Integration, attempts, r.clock.now().UTC()})
	if err != nil {
		return err
	}
	return r.store.Reseal(ctx, store.Ref{Name: deadPrefix(name) + e.ID.String()}, nil, letter)
}

// DeadLetters returns the changes that a subscription's handler failed at for good.
func (r *Rack) DeadLetters(ctx context.Context, name string) ([]DeadLetter, error) {
	var letters []DeadLetter
	for ref, err := range r.store.ScanSealed(ctx) {
		if err != nil {
			return nil, err
		}
		id, ok := strings.CutPrefix(ref.Name, deadPrefix(name))
		if !ok || strings.Contains(id, " ") { // of a longer name
			continue
		}
		sealed, err := r.store.Sealed(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		var letter DeadLetter
		if err == nil {
			err = json.Unmarshal(sealed, &letter)
		}
		if err != nil {
			return nil, err
		}
		letters = append(letters, letter)
	}
	return letters, nil
}

// Discard forgets dead letters, once they were seen to.
func (r *Rack) Discard(ctx context.Context, name string, letters ...DeadLetter) error {
	refs := make([]store.Ref, len(letters))
	for i, letter := range letters {
		refs[i] = store.Ref{Name: deadPrefix(name) + letter.Entry.String()}
	}
	return r.store.Shred(ctx, refs...)
}
