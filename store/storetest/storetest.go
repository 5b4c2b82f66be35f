// Package storetest proves that a store keeps the promises of [store.Store]. It takes a
// function that opens a store and runs one subtest for each promise, whose name says
// what is broken. Each subtest has a fresh store, so one failure does not cause
// another.
//
// A store in memory calls [Run]. A store that survives its process, shares its memory
// with others or can show what it keeps fills in a [Harness], which tests that as well:
//
//	func TestStore(t *testing.T) {
//		storetest.Harness{Open: open, Reopen: reopen, Join: join, Dump: dump}.Run(t)
//	}
//
// A suite of calls cannot show everything. That a commit survives a crash whole or not
// at all, and what a cut connection does, remains for the store's own tests.
package storetest

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// Harness says how to test a store. Only Open is required.
type Harness struct {
	// Open returns a new, empty store. The suite does not close it; use t.Cleanup.
	Open func(t *testing.T) store.Store
	// Reopen closes a store that Open returned and opens what it left behind. Nil for a
	// store that leaves nothing.
	Reopen func(t *testing.T, s store.Store) store.Store
	// Join opens the memory of a store once more, as another process would. Nil for a
	// store that only one process can use.
	Join func(t *testing.T, s store.Store) store.Store
	// Dump returns everything that a store keeps, as somebody who copied its file or
	// its tables would find it. Bytes may appear raw, in hexadecimal or in base64. Dump
	// first erases what the store erases late on purpose. Nil for a store that cannot
	// be looked into.
	Dump func(t *testing.T, s store.Store) []byte
	// Ahead moves the dates of all leases that a store keeps into the future, as somebody
	// writes them whose clock is ahead. Nil for a store whose leases have no dates.
	Ahead func(t *testing.T, s store.Store, by time.Duration)
	// Hold makes commits wait from now on, although they have happened, as a server does
	// whose standby is away. The function that it returns ends that. Nil for a store whose
	// commits wait for nobody else.
	Hold func(t *testing.T, s store.Store) (release func())
	// Histories is how many concurrent histories are recorded and checked. 0
	// means 1000.
	Histories int
}

// Run tests the stores that open returns. Each must be new and empty.
func Run(t *testing.T, open func(t *testing.T) store.Store) {
	Harness{Open: open}.Run(t)
}

// Run tests the stores that h opens.
func (h Harness) Run(t *testing.T) {
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			promise.keep(h.probe(t))
		})
	}
}

// probe opens a store and makes a case's probe with it.
func (h Harness) probe(t *testing.T) *probe {
	t.Helper()
	p := &probe{tb: t, s: h.Open(t), another: func() store.Store { return h.Open(t) }, histories: cmp.Or(h.Histories, 1000), patience: time.Minute}
	if h.Reopen != nil {
		p.reopen = func(s store.Store) store.Store { return h.Reopen(t, s) }
	}
	if h.Join != nil {
		p.join = func(s store.Store) store.Store { return h.Join(t, s) }
	}
	if h.Ahead != nil {
		p.ahead = func(s store.Store, by time.Duration) { h.Ahead(t, s, by) }
	}
	if h.Hold != nil {
		p.hold = func(s store.Store) func() { return h.Hold(t, s) }
	}
	if h.Dump != nil {
		p.dump = func(s store.Store) []byte { return h.Dump(t, s) }
	}
	return p
}

// promise is one of the promises of store.Store, with a function that checks it.
type promise struct {
	name string // a method or a noun, a slash, a sentence
	keep func(p *probe)
}

var promises = slices.Concat(
	commitPromises, withPromises, repeatPromises, digestPromises,
	scanPromises, journalPromises, historyPromises,
	sealedPromises, forgetPromises, trimPromises,
	leasePromises, conductPromises, iteratorPromises,
	concurrentPromises, historiesPromises, durablePromises,
	incarnationPromises,
)
