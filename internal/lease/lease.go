package lease

import (
	"context"
	"errors"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// Leaser is the part of a store that leases come from.
type Leaser interface {
	Acquire(ctx context.Context, name, holder string, ttl time.Duration) (store.Lease, error)
	Release(ctx context.Context, l store.Lease) error
}

// Keeper keeps one lease. Its fields are set before the first call and not changed
// afterwards. Its methods are called one at a time.
type Keeper struct {
	Store  Leaser
	Name   string
	Holder string        // unique to this keeper
	TTL    time.Duration // how long the lease lasts without being renewed
	// Patience bounds one call of the store, and the one that gives the lease up to at
	// most 4 s. 0 means half the TTL: a call that hangs leaves time for another.
	Patience time.Duration
}

// releasePatience bounds how long the end of a process waits for a store that does not
// take a lease back.
const releasePatience = 4 * time.Second

func (k *Keeper) patience() time.Duration {
	if k.Patience > 0 {
		return k.Patience
	}
	return k.TTL / 2
}

// Work is what is done while a lease is held. It must return soon after its context
// ends. The cause ([context.Cause]) is store.ErrFenced if another holder has the lease,
// and context.DeadlineExceeded if the lease ran out.
type Work func(ctx context.Context, l store.Lease) error

// Keep does the work whenever it holds the lease, until ctx ends. It tries every third
// of the TTL. failed, if not nil, is told when the store fails, the lease runs out, or
// the work returns an error. It is not told that another instance holds the lease, or
// that ctx has ended.
func (k *Keeper) Keep(ctx context.Context, work Work, failed func(error)) {
	tick := time.NewTicker(k.TTL / 3)
	defer tick.Stop()
	for ctx.Err() == nil {
		err := k.Hold(ctx, work)
		if err != nil && failed != nil && ctx.Err() == nil && !errors.Is(err, store.ErrFenced) {
			failed(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// Hold does the work once if the lease is free, and gives the lease up afterwards. It
// returns when the work has returned and the goroutine that renews has ended. The error
// is store.ErrFenced if another instance holds the lease, else the store's or the
// work's. If the work returns an error after its context ended, the error is the cause
// of that end.
func (k *Keeper) Hold(ctx context.Context, work Work) error {
	asked := time.Now()
	l, err := k.acquire(ctx)
	if err != nil {
		return err
	}
	held, lose := context.WithCancelCause(ctx)
	expiry := time.AfterFunc(time.Until(asked.Add(k.TTL)), func() { lose(context.DeadlineExceeded) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		k.renew(held, l, expiry, lose)
	}()
	defer func() {
		lose(nil)
		<-ended
		expiry.Stop()
		k.release(ctx, l)
	}()
	if err := work(held, l); err == nil || held.Err() == nil {
		return err
	}
	return context.Cause(held)
}

// renew renews the lease, and with it the time at which it runs out, until the lease is
// lost or ctx ends.
func (k *Keeper) renew(ctx context.Context, l store.Lease, expiry *time.Timer, lose context.CancelCauseFunc) {
	tick := time.NewTicker(k.TTL / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		asked := time.Now()
		renewed, err := k.acquire(ctx)
		if err == nil && renewed.Fence != l.Fence {
			err = store.ErrFenced // another instance held it in between
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, store.ErrFenced):
			lose(store.ErrFenced)
			return
		case err == nil:
			expiry.Reset(time.Until(asked.Add(k.TTL)))
		}
	}
}

func (k *Keeper) acquire(ctx context.Context) (store.Lease, error) {
	ctx, cancel := context.WithTimeout(ctx, k.patience())
	defer cancel()
	return k.Store.Acquire(ctx, k.Name, k.Holder, k.TTL)
}

// release gives the lease up, also where ctx has ended.
func (k *Keeper) release(ctx context.Context, l store.Lease) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(k.patience(), releasePatience))
	defer cancel()
	_ = k.Store.Release(ctx, l)
}
