package view

import (
	"slices"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Copy returns a record that shares no memory with r, so that its owner may write to
// it.
func Copy(r *lifecycle.Record) lifecycle.Record {
	c := *r
	c.Keys = slices.Clone(r.Keys)
	c.Parked = slices.Clone(r.Parked)
	c.Operations = slices.Clone(r.Operations)
	c.Enabled.Early = slices.Clone(r.Enabled.Early)
	c.Canceled.Early = slices.Clone(r.Canceled.Early)
	for i := range c.Parked {
		p := &c.Parked[i]
		p.Enabled.Early = slices.Clone(p.Enabled.Early)
		p.Canceled.Early = slices.Clone(p.Canceled.Early)
	}
	return c
}
