package keyrack

import (
	"context"
	"hash/maphash"
)

// doors let the evidence about one integration in one piece at a time, so that
// what this instance decides does not conflict with itself. Integrations that
// share a door wait for each other; there are enough doors that few do.
type doors struct {
	seed maphash.Seed
	all  [256]chan struct{}
}

func newDoors() doors {
	d := doors{seed: maphash.MakeSeed()}
	for i := range d.all {
		d.all[i] = make(chan struct{}, 1)
	}
	return d
}

// enter waits for the integration's door, and returns what opens it again.
func (d *doors) enter(ctx context.Context, integration string) (leave func(), err error) {
	door := d.all[maphash.String(d.seed, integration)%uint64(len(d.all))]
	select {
	case door <- struct{}{}:
		return func() { <-door }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
