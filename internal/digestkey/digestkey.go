// Package digestkey keeps the key of the token digests.
//
// A store knows tokens by keyed digests, so the key has to be the same for as long as
// the store exists and for every instance on it. It is therefore kept in the store
// itself, sealed:
//
//	no key ──Begin──► sealed key ──Open──► digester
//
// Opening it also proves that a sealer is the one with which the store was begun.
package digestkey

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// ErrSealer: the sealer is not the one with which the store was begun.
var ErrSealer = errors.New("keyrack: the sealing key does not open this store")

// Ref is where the store keeps the sealed key. Its name is what the key is sealed for.
var Ref = store.Ref{Name: "digest key"}

// Begin gives a store a new key, unless it has one.
func Begin(ctx context.Context, s store.Store, sealer seal.Sealer) error {
	_, err := s.Sealed(ctx, Ref)
	if errors.Is(err, store.ErrNotFound) {
		var fresh []byte
		if fresh, err = sealer.Seal(seal.NewKey(), Ref.Name); err != nil {
			return fmt.Errorf("keyrack: sealing: %w", err)
		}
		err = s.Reseal(ctx, Ref, nil, fresh) // unless another instance was faster
	}
	if err != nil {
		return fmt.Errorf("keyrack: reading the store: %w", err)
	}
	return nil
}

// Open returns the digester of a store that has a key. The error is ErrSealer where
// the sealer does not open it, else the store's.
func Open(ctx context.Context, s store.Store, sealer seal.Sealer) (seal.Digester, error) {
	sealed, err := s.Sealed(ctx, Ref)
	if err != nil {
		return seal.Digester{}, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	key, err := sealer.Open(sealed, Ref.Name)
	if err != nil {
		return seal.Digester{}, fmt.Errorf("%w: %w", ErrSealer, err)
	}
	return seal.NewDigester(key)
}
