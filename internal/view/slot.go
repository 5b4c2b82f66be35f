package view

import (
	"slices"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Slot is the place of one integration. What it holds is replaced, never changed.
type Slot struct {
	holds atomic.Pointer[holding]
	token atomic.Pointer[Sealed]
}

// holding is a record with the id of the entry that made its version.
type holding struct {
	record lifecycle.Record
	made   [16]byte
	known  time.Duration // since View.began: since when the view has had what other processes took in; zero for nothing
}

// Sealed is a sealed token, by its digest.
type Sealed struct {
	Digest lifecycle.Digest
	Token  []byte
}

// Record returns the integration's newest record. Nobody may write to it.
func (s *Slot) Record() *lifecycle.Record { return &s.holds.Load().record }

// Version returns the newest record and the id of the entry that made its version.
func (s *Slot) Version() (record *lifecycle.Record, made [16]byte) {
	h := s.holds.Load()
	return &h.record, h.made
}

// Token returns the sealed token that was kept last, or nil once it is no longer the
// current one.
func (s *Slot) Token() *Sealed { return s.token.Load() }

// KeepToken keeps a sealed token in memory.
func (s *Slot) KeepToken(t *Sealed) { s.token.Store(t) }

// DropToken drops a sealed token, unless another has taken its place.
func (s *Slot) DropToken(t *Sealed) { s.token.CompareAndSwap(t, nil) }

// sameGround reports whether an integration's record rests on the same deliveries and answers
// as the one before it.
func sameGround(a, b *lifecycle.Record) bool {
	return a.Generation == b.Generation && !slices.ContainsFunc(b.Keys, func(after lifecycle.Key) bool {
		before, _ := a.Key(after.Digest)
		return before.Answer != after.Answer || before.Began != after.Began || before.Doubt != after.Doubt
	})
}

// Overtaken reports whether a request that this process saw begin at a time may have been
// overtaken by what another process took in about an integration. That process's clock may be
// wrong, so what counts is whether the view knew of it by then. Times are compared by the
// monotonic clock, so began has to come from time.Now.
func (v *View) Overtaken(id string, began time.Time) bool {
	s := v.slot(id)
	if s == nil {
		return false
	}
	known := s.holds.Load().known
	return known != 0 && began.Sub(v.began) < known
}
