package atrest

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/settings"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Reseal seals anew what is sealed under an old key, or by a former version. Once it has returned without an
// error, the old key can be taken out of the sealer. It may run while deliveries come
// in, provided that all instances seal under the new key already. It returns how many
// values it sealed anew.
func Reseal(ctx context.Context, s store.Store, sealer seal.Sealer) (int, error) {
	s, sealer = guard.Store(s, nil), guard.Sealer(sealer)
	keys, err := digestkey.Open(ctx, s, sealer)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, err
	}
	n := 0
	for ref, err := range s.ScanSealed(ctx) {
		if err != nil {
			return n, reading(err)
		}
		if !isSealed(ref) {
			continue
		}
		done, err := resealOne(ctx, s, sealer, keys.Digester, ref)
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

// isSealed reports whether a value is sealed at all: most values with a name are not.
func isSealed(ref store.Ref) bool {
	return ref.Name == "" || ref == digestkey.Ref || ref == digestkey.StampRef || ref == settings.Ref || join.IsStash(ref)
}

// open opens a value, and compares a token with its digest.
func open(sealer seal.Sealer, digester seal.Digester, ref store.Ref, value []byte) ([]byte, error) {
	if ref.Integration != "" {
		return binding.OpenToken(sealer, digester.Sum, ref, value)
	}
	return binding.Open(sealer, ref, value)
}

func resealOne(ctx context.Context, s store.Store, sealer seal.Sealer, digester seal.Digester, ref store.Ref) (bool, error) {
	old, err := s.Sealed(ctx, ref)
	if errors.Is(err, store.ErrNotFound) || err == nil && !binding.Stale(sealer, old) {
		return false, nil
	}
	if err != nil {
		return false, reading(err)
	}
	plain, err := open(sealer, digester, ref, old)
	if err != nil {
		return false, fmt.Errorf("atrest: sealing anew: %w", err)
	}
	fresh, err := binding.Seal(sealer, ref, plain)
	if err != nil {
		return false, fmt.Errorf("atrest: sealing anew: %w", err)
	}
	if err := s.Reseal(ctx, ref, old, fresh); err != nil {
		return false, fmt.Errorf("atrest: sealing anew: %w", err)
	}
	return true, nil
}
