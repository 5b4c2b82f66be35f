// Package seen remembers which actions ever came in a webhook. Records do not tell: after a
// 200 they look as they would after an IntegrationEnabled. The seven of the specification
// are kept in the store, for all instances and later starts; those that this version does
// not know are remembered until the process ends.
package seen

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// mostUnfamiliar bounds how many names of unknown actions are remembered. Somebody who has
// the secret can send any number of them.
const mostUnfamiliar = 128

// where is where the store has the names of the actions, in clear.
var where = store.Ref{Name: "actions seen"}

// Actions are those that came. Make one with New. It is safe for concurrent use.
type Actions struct {
	store store.Store
	log   *slog.Logger

	here atomic.Uint32 // a bit for each action
	kept atomic.Uint32 // what the store is known to have

	mu         sync.Mutex
	unfamiliar map[string]bool
}

// New returns Actions that have seen nothing yet.
func New(s store.Store, log *slog.Logger) *Actions {
	return &Actions{store: s, log: log, unfamiliar: make(map[string]bool)}
}

// Note notes that an action came.
func (a *Actions) Note(action lifecycle.Action) {
	if bit := uint32(1) << action; a.here.Load()&bit == 0 {
		a.here.Or(bit)
	}
}

// Has reports whether an action ever came, as far as is known here.
func (a *Actions) Has(action lifecycle.Action) bool { return a.here.Load()>>action&1 == 1 }

// First notes the name of an action that this version does not know, and reports whether it
// came for the first time since the start. After mostUnfamiliar names no further one does.
func (a *Actions) First(name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.unfamiliar[name] || len(a.unfamiliar) >= mostUnfamiliar {
		return false
	}
	a.unfamiliar[name] = true
	return true
}

// Fresh reports whether something was noted here that the store is not known to have.
func (a *Actions) Fresh() bool { return a.here.Load() != a.kept.Load() }

// Keep takes up what the store has, and has it keep what is new here.
func (a *Actions) Keep(ctx context.Context) error {
	old, err := a.store.Sealed(ctx, where)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	var names []string
	if err == nil {
		if err := json.Unmarshal(old, &names); err != nil {
			a.log.WarnContext(ctx, "which actions were seen before cannot be read, and begins anew", "error type", fmt.Sprintf("%T", err))
			names = nil
		}
	}
	stored := uint32(0)
	for _, name := range names {
		if action := lifecycle.ActionUnknown; action.UnmarshalText([]byte(name)) == nil && action != lifecycle.ActionUnknown {
			a.Note(action)
			stored |= 1 << action
		}
	}
	a.kept.Store(stored)
	known := len(names)
	for _, action := range lifecycle.Actions() {
		if a.Has(action) && !slices.Contains(names, action.String()) {
			names = append(names, action.String())
		}
	}
	if len(names) == known {
		return nil
	}
	value, err := json.Marshal(names)
	if err != nil {
		return err
	}
	// Where another instance was faster, the next time looks at what it kept.
	return a.store.Reseal(ctx, where, old, value)
}
