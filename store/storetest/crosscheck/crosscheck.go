// Package crosscheck checks with a second checker what storetest checks. It takes a
// recorded history and reports whether its calls can have happened one after the other,
// by porcupine's search among their orders. It is slower than [storetest.Linearizable],
// and knows nothing of versions, only a sequential model.
//
// It is a module of its own, so that those who test a store do not need porcupine.
package crosscheck

import (
	"maps"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest"
)

// Linearizable reports whether the calls of a history can have happened one after the
// other, each at an instant between its begin and its end. If the search finds no
// answer within patience, known is false. A patience of 0 means no limit.
func Linearizable(history []storetest.Call, patience time.Duration) (ok, known bool) {
	operations := make([]porcupine.Operation, len(history))
	for i := range history {
		operations[i] = porcupine.Operation{Input: &history[i], Call: history[i].Begin, Return: history[i].End}
	}
	result := porcupine.CheckOperationsTimeout(model, operations, patience)
	return result == porcupine.Ok, result != porcupine.Unknown
}

// model is a store that does one thing at a time.
var model = porcupine.Model{
	Init: func() any { return state{} },
	Step: func(before, call, _ any) (bool, any) {
		after, ok := before.(state).step(call.(*storetest.Call))
		return ok, after
	},
	Equal: func(a, b any) bool { return a.(state).equal(b.(state)) },
}

// state is what a store knows: the newest commit of each integration, and the
// owners of digests. It is never changed, only replaced.
type state struct {
	newest map[string]commit
	owners map[lifecycle.Digest]string
}

type commit struct {
	version uint64
	id      store.EntryID
}

func (s state) equal(other state) bool {
	return maps.Equal(s.newest, other.newest) && maps.Equal(s.owners, other.owners)
}

// step returns the state after a call, and whether the store would have given this
// answer.
func (s state) step(c *storetest.Call) (after state, ok bool) {
	newest := s.newest[c.Integration]
	switch c.Kind {
	case storetest.Committed:
		taken := func(d lifecycle.Digest) bool { return s.owners[d] != "" && s.owners[d] != c.Integration }
		if c.Version != newest.version+1 || slices.ContainsFunc(c.Claim, taken) {
			return s, false
		}
		return s.with(c), true
	case storetest.Conflicted:
		return s, newest.version != c.Version
	case storetest.Loaded:
		return s, newest == commit{c.Version, c.ID}
	case storetest.Owned:
		return s, c.Owner != "" && c.Owner != c.Integration && s.owners[c.Digest] == c.Owner
	case storetest.Asked:
		return s, s.owners[c.Digest] == c.Owner
	default:
		return s, false
	}
}

// with returns the state after a commit.
func (s state) with(c *storetest.Call) state {
	after := state{newest: map[string]commit{}, owners: map[lifecycle.Digest]string{}}
	maps.Copy(after.newest, s.newest)
	maps.Copy(after.owners, s.owners)
	after.newest[c.Integration] = commit{c.Version, c.ID}
	for _, d := range c.Disown {
		if after.owners[d] == c.Integration {
			delete(after.owners, d)
		}
	}
	for _, d := range c.Claim {
		after.owners[d] = c.Integration
	}
	return after
}
