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
	all  [256]door
}

func newDoors() doors {
	d := doors{seed: maphash.MakeSeed()}
	for i := range d.all {
		d.all[i] = make(door, 1)
	}
	return d
}

// door is one of them; whoever is behind it leaves by it.
type door chan struct{}

// enter waits for the integration's door, which is to be left again.
func (d *doors) enter(ctx context.Context, integration string) (door, error) {
	way := d.all[maphash.String(d.seed, integration)%uint64(len(d.all))]
	select {
	case way <- struct{}{}:
		return way, nil
	default:
	}
	select {
	case way <- struct{}{}:
		return way, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (w door) leave() { <-w }
