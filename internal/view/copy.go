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
	own(&c.Course)
	for i := range c.Parked {
		own(&c.Parked[i])
	}
	return c
}

func own(c *lifecycle.Course) {
	c.Enabled.Early = slices.Clone(c.Enabled.Early)
	c.Canceled.Early = slices.Clone(c.Canceled.Early)
}
