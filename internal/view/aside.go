package view

import (
	"maps"
	"slices"
	"sync"
	"sync/atomic"
)

// Aside is a set of integrations that something is wrong with. Its zero value is empty, and
// costs those who ask an atomic load. It is safe for concurrent use.
type Aside struct {
	any atomic.Bool // there may be some
	mu  sync.Mutex
	ids map[string]bool
}

// Add adds an id, and reports whether it was not there.
func (a *Aside) Add(id string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ids[id] {
		return false
	}
	if a.ids == nil {
		a.ids = make(map[string]bool)
	}
	a.ids[id] = true
	a.any.Store(true)
	return true
}

// Clear takes an id away.
func (a *Aside) Clear(id string) {
	if !a.any.Load() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.ids, id)
	a.any.Store(len(a.ids) > 0)
}

// Has reports whether the id is there.
func (a *Aside) Has(id string) bool {
	if !a.any.Load() {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.ids[id]
}

// All returns the ids.
func (a *Aside) All() []string {
	if !a.any.Load() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Collect(maps.Keys(a.ids))
}
