package keyrack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// seen holds a bit for each action that ever came in a webhook. Records do not tell:
// after a 200 they look as they would after an IntegrationEnabled.
type seen struct {
	here atomic.Uint32
	kept atomic.Uint32 // what the store is known to have

	unfamiliar unfamiliar
}

// seenRef is where the store has their names, in clear.
var seenRef = store.Ref{Name: "actions seen"}

func (s *seen) note(a lifecycle.Action) {
	if bit := uint32(1) << a; s.here.Load()&bit == 0 {
		s.here.Or(bit)
	}
}

func (s *seen) has(a lifecycle.Action) bool { return s.here.Load()>>a&1 == 1 }

// keepSeen takes up what the store has of them, and has it keep what is new here.
func (r *Rack) keepSeen(ctx context.Context) error {
	old, err := r.store.Sealed(ctx, seenRef)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var names []string
	if err == nil {
		if err := json.Unmarshal(old, &names); err != nil {
			r.log.WarnContext(ctx, "which actions were seen before cannot be read, and begins anew", "error type", fmt.Sprintf("%T", err))
			names = nil
		}
	}
	stored := uint32(0)
	for _, name := range names {
		if a := lifecycle.ActionUnknown; a.UnmarshalText([]byte(name)) == nil && a != lifecycle.ActionUnknown {
			r.seen.note(a)
			stored |= 1 << a
		}
	}
	r.seen.kept.Store(stored)
	fresh := len(names)
	for _, a := range lifecycle.Actions() {
		if r.seen.has(a) && !slices.Contains(names, a.String()) {
			names = append(names, a.String())
		}
	}
	if len(names) == fresh {
		return nil
	}
	value, err := json.Marshal(names)
	if err != nil {
		return err
	}
	// Where another instance was faster, the next time looks at what it kept.
	return r.store.Reseal(ctx, seenRef, old, value)
}

// keepNewSeen does so where there is something new.
func (r *Rack) keepNewSeen(ctx context.Context) {
	if r.seen.here.Load() == r.seen.kept.Load() {
		return
	}
	ctx, cancel := r.afterwards(ctx)
	defer cancel()
	if err := r.keepSeen(ctx); err != nil {
		r.log.WarnContext(ctx, "which actions were seen is not kept yet", "error", err)
	}
}

// keptUnfamiliar bounds how many names of unknown actions are remembered. Somebody who has
// the secret can send any number of them.
const keptUnfamiliar = 128

// unfamiliar are the actions that this version does not know and that came since the
// start. Each is worth one alarm.
type unfamiliar struct {
	mu    sync.Mutex
	names map[string]bool
}

// first reports whether an action comes for the first time. Beyond keptUnfamiliar no
// further one does.
func (u *unfamiliar) first(name string) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.names[name] || len(u.names) >= keptUnfamiliar {
		return false
	}
	if u.names == nil {
		u.names = make(map[string]bool)
	}
	u.names[name] = true
	return true
}
