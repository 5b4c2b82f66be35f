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

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrSealer: the sealer is not the one with which the store was begun.
	ErrSealer = errors.New("keyrack: the sealing key does not open this store")
	// ErrReplaced: the sealer has the key, and what lies in the store is damaged, or is not
	// the key of its digests. It comes with ErrSealer.
	ErrReplaced = errors.New("the key of the token digests is damaged, or another value lies in its place; put it back from a backup")
)

// Ref is where the store keeps the sealed key.
var Ref = store.Ref{Name: "digest key"}

// Begin gives a store a new key, unless it has one. One that a former version sealed is
// sealed again, for its place. The errors are those of Open.
func Begin(ctx context.Context, s store.Store, sealer seal.Sealer) error {
	old, err := s.Sealed(ctx, Ref)
	key := seal.NewKey()
	switch {
	case errors.Is(err, store.ErrNotFound):
		old = nil
	case err != nil:
		return fmt.Errorf("keyrack: reading the store: %w", err)
	case !binding.Former(old):
		return nil
	default:
		if key, err = open(ctx, s, sealer, old); err != nil {
			return err
		}
	}
	fresh, err := binding.Seal(sealer, Ref, key)
	if err != nil {
		return fmt.Errorf("keyrack: sealing: %w", err)
	}
	if err := s.Reseal(ctx, Ref, old, fresh); err != nil { // does nothing if another instance was faster
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
	key, err := open(ctx, s, sealer, sealed)
	if err != nil {
		return seal.Digester{}, err
	}
	return seal.NewDigester(key)
}

// open opens the key. One that a former version sealed must fit the store's tokens, since a
// token of an integration by the same name was sealed alike.
func open(ctx context.Context, s store.Store, sealer seal.Sealer, sealed []byte) ([]byte, error) {
	key, err := binding.Open(sealer, Ref, sealed)
	switch {
	case errors.Is(err, seal.ErrOpen):
		return nil, fmt.Errorf("%w: %w", ErrSealer, ErrReplaced)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrSealer, err)
	}
	digester, err := seal.NewDigester(key)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSealer, ErrReplaced)
	}
	if binding.Former(sealed) {
		if fits, err := fitsTokens(ctx, s, sealer, digester); err != nil {
			return nil, fmt.Errorf("keyrack: reading the store: %w", err)
		} else if !fits {
			return nil, fmt.Errorf("%w: %w", ErrSealer, ErrReplaced)
		}
	}
	return key, nil
}

// tried is how many tokens a former key is compared with.
const tried = 16

// fitsTokens reports whether most of the tokens that a digester is compared with have their
// digests, or whether there are none to compare it with.
func fitsTokens(ctx context.Context, s store.Store, sealer seal.Sealer, digester seal.Digester) (bool, error) {
	fit, other := 0, 0
	for ref, err := range s.ScanSealed(ctx) {
		if err != nil {
			return false, err
		}
		if ref.Integration == "" {
			continue
		}
		value, err := s.Sealed(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return false, err
		}
		switch _, err := binding.OpenToken(sealer, digester.Sum, ref, value); {
		case err == nil:
			fit++
		case errors.Is(err, binding.ErrMoved):
			other++
		}
		if fit+other == tried {
			break
		}
	}
	return fit >= other, nil
}
