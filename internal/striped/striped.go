// Package striped locks names: who holds a name's lock works on it alone. There are
// as many locks as stripes, and not one for each name, so it needs the same memory for
// any number of names. Names that share a stripe wait for each other; there are enough
// stripes that few do.
package striped

import (
	"context"
	"hash/maphash"
)

// stripes is how many locks there are.
const stripes = 256

// Lock is the locks of all names. Make one with New. It is safe for concurrent use.
type Lock struct {
	seed    maphash.Seed
	stripes [stripes]Held
}

// New returns a lock that nobody holds.
func New() *Lock {
	l := &Lock{seed: maphash.MakeSeed()}
	for i := range l.stripes {
		l.stripes[i] = make(Held, 1)
	}
	return l
}

// Held is the lock of one name, to be unlocked by the goroutine that is done with it.
type Held chan struct{}

// Lock waits for a name's lock. The error is the context's if that ends first.
func (l *Lock) Lock(ctx context.Context, name string) (Held, error) {
	held := l.stripes[maphash.String(l.seed, name)%stripes]
	select {
	case held <- struct{}{}: // it is free, even if the context has ended
		return held, nil
	default:
	}
	select {
	case held <- struct{}{}:
		return held, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Unlock gives the lock to the next who waits.
func (h Held) Unlock() { <-h }
