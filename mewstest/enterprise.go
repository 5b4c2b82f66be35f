package mewstest

import (
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Enterprise is a hotel or a portfolio of hotels. One enterprise can have several
// integrations.
type Enterprise struct {
	world   *World
	named   lifecycle.Named
	created time.Time
	hotels  []*Enterprise // of a portfolio

	// Guarded by world.mu.
	off          bool
	integrations []*Integration
}

// enterprise returns the hotel of a name, and makes it the first time. Its identifier
// depends only on the seed and the name. w.mu is held.
func (w *World) enterprise(name string) *Enterprise {
	e := w.enterprises[name]
	if e == nil {
		id := guid(fate(w.options.Seed, ofEnterprise, int(hashOf(name)), 0))
		e = &Enterprise{world: w, named: lifecycle.Named{ID: id, Name: name}, created: w.now()}
		w.enterprises[name] = e
	}
	return e
}

// ID returns the enterprise's identifier.
func (e *Enterprise) ID() string { return e.named.ID }

// Disable disables the enterprise in Mews. None of its integrations' tokens work, and
// no event reports it.
func (e *Enterprise) Disable() { e.set(true, "enterprise disabled") }

// Enable ends what Disable began.
func (e *Enterprise) Enable() { e.set(false, "enterprise enabled") }

func (e *Enterprise) set(off bool, what string) {
	w := e.world
	w.mu.Lock()
	changed := e.off != off
	e.off = off
	var all []*Integration
	if changed {
		w.stats.Changes++
		all = e.integrations[:len(e.integrations):len(e.integrations)]
		for _, i := range all {
			w.note(LogEntry{Kind: Changed, Integration: i.number, What: what})
		}
	}
	w.mu.Unlock()
	for _, i := range all {
		w.notify(i)
	}
}
