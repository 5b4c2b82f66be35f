package stamp

import "github.com/keyrack-dev/keyrack/store"

// Chain checks the history of one integration, as a store has it, entry by entry.
type Chain struct {
	key     Key
	last    store.EntryID // the entry before; zero if it is not known
	version uint64        // that it made
}

// Begin returns the chain of an integration.
func (k Key) Begin(in *store.Stored) Chain { return Chain{key: k, version: in.BaseVersion} }

// Next checks the next entry of the history, and returns what was sealed with it as far as its
// stamp says. The error is ErrForged or ErrMissing.
func (c *Chain) Next(e *store.Entry) (Parts, error) {
	_, m, ok, err := c.key.openEntry(e)
	if ok && err == nil && !c.key.IsZero() && e.Version == c.version+1 && !m.link.IsZero() && !c.last.IsZero() && m.link != c.last {
		err = ErrForged // it followed another entry
	}
	c.last, c.version = e.ID, e.Version
	return m.parts, err
}
