package keyrack

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/store"
)

// Reseal seals anew what lies under an old key: after it has returned without an
// error, the old key can be taken out of the sealer. It may run while
// deliveries come in, as long as all instances seal under the new key already.
// It returns how many values it sealed anew.
func (r *Rack) Reseal(ctx context.Context) (int, error) {
	n := 0
	for ref, err := range r.store.ScanSealed(ctx) {
		if err != nil {
			return n, fmt.Errorf("keyrack: reading the store: %w", err)
		}
		owner, ok := ownerOf(ref)
		if !ok {
			continue
		}
		done, err := r.resealOne(ctx, ref, owner)
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

// ownerOf returns for whom a sealed value is sealed; false for those that are not.
func ownerOf(ref store.Ref) (string, bool) {
	switch {
	case ref.Integration != "":
		return ref.Integration, true
	case !ref.Entry.IsZero():
		return ref.Entry.String(), true
	}
	return ref.Name, ref == digestKey
}

func (r *Rack) resealOne(ctx context.Context, ref store.Ref, owner string) (bool, error) {
	old, err := r.store.Sealed(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || err == nil && !r.sealer.Stale(old) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	plain, err := r.sealer.Open(old, owner)
	if err != nil {
		return false, fmt.Errorf("keyrack: sealing anew: %w", err)
	}
	fresh, err := r.sealer.Seal(plain, owner)
	if err != nil {
		return false, fmt.Errorf("keyrack: sealing anew: %w", err)
	}
	if err := r.store.Reseal(ctx, ref, old, fresh); err != nil {
		return false, fmt.Errorf("keyrack: sealing anew: %w", err)
	}
	return true, nil
}
