package atrest

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Reseal seals anew what is sealed under an old key. Once it has returned without an
// error, the old key can be taken out of the sealer. It may run while deliveries come
// in, provided that all instances seal under the new key already. It returns how many
// values it sealed anew.
func Reseal(ctx context.Context, s store.Store, sealer seal.Sealer) (int, error) {
	s, sealer = guard.Store(s, nil), guard.Sealer(sealer)
	n := 0
	for ref, err := range s.ScanSealed(ctx) {
		if err != nil {
			return n, reading(err)
		}
		owner, ok := ownerOf(ref)
		if !ok {
			continue
		}
		done, err := resealOne(ctx, s, sealer, ref, owner)
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

// ownerOf returns the owner that a value is sealed for, and reports whether the value is
// sealed at all: most values with a name are not.
func ownerOf(ref store.Ref) (string, bool) {
	switch {
	case ref.Integration != "":
		return ref.Integration, true
	case !ref.Entry.IsZero():
		return ref.Entry.String(), true
	}
	return ref.Name, ref == digestkey.Ref || join.IsStash(ref)
}

func resealOne(ctx context.Context, s store.Store, sealer seal.Sealer, ref store.Ref, owner string) (bool, error) {
	old, err := s.Sealed(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || err == nil && !sealer.Stale(old) {
		return false, nil
	}
	if err != nil {
		return false, reading(err)
	}
	plain, err := sealer.Open(old, owner)
	if err != nil {
		return false, fmt.Errorf("atrest: sealing anew: %w", err)
	}
	fresh, err := sealer.Seal(plain, owner)
	if err != nil {
		return false, fmt.Errorf("atrest: sealing anew: %w", err)
	}
	if err := s.Reseal(ctx, ref, old, fresh); err != nil {
		return false, fmt.Errorf("atrest: sealing anew: %w", err)
	}
	return true, nil
}
