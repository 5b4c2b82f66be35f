// Package digestkey keeps the key of the token digests.
//
// A store knows tokens by keyed digests, so the key has to be the same for as long as
// the store exists and for every instance on it. It is therefore kept in the store
// itself, sealed:
//
//	no key ──Begin──► sealed key ──Open──► digester
//
// Opening it also proves that a sealer is the one with which the store was begun.
//
// The key of the stamps lies beside it, sealed by itself, until stamps are required. Then
// both lie in the place of the first, with the mark from where on:
//
//	"digest key": key                      "stamp key": key
//	"digest key": key ‖ stamp key ‖ position            (Require)
//
// So a former version, which would write without stamps, does not open such a store. And
// to take away or put back one of the values takes away a key, without which nothing fits.
package digestkey

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrSealer: the sealer is not the one with which the store was begun.
	ErrSealer = errors.New("keyrack: the sealing key does not open this store")
	// ErrReplaced: the sealer has the key, and what lies in the store is damaged, or is not
	// the key of its digests. It comes with ErrSealer.
	ErrReplaced = errors.New("the key of the token digests is damaged, or another value lies in its place; put it back from a backup")
	// ErrStampKey: the sealer has the key, and what lies in the store is not the key of its
	// stamps. It comes with ErrSealer.
	ErrStampKey = errors.New("the key of the stamps is damaged, or another value lies in its place; put it back from a backup")
)

// Ref is where the store keeps the sealed key.
var Ref = store.Ref{Name: "digest key"}

// StampRef is where the store keeps the sealed key of the stamps until they are required.
var StampRef = store.Ref{Name: "stamp key"}

// Keys are what is made with the keys of a store.
type Keys struct {
	Digester seal.Digester
	Stamps   stamp.Key // the zero Key for a store that has none
}

// Begin gives a store new keys, unless it has them. One that a former version sealed is
// sealed again, for its place. The errors are those of Open.
func Begin(ctx context.Context, s store.Store, sealer seal.Sealer) error {
	old, err := s.Sealed(ctx, Ref)
	plain := seal.NewKey()
	switch {
	case errors.Is(err, store.ErrNotFound):
		old = nil
	case err != nil:
		return fmt.Errorf("keyrack: reading the store: %w", err)
	default:
		if plain, err = open(ctx, s, sealer, old); err != nil {
			return err
		}
	}
	if old == nil || binding.Former(old) {
		if err := put(ctx, s, sealer, Ref, old, plain); err != nil {
			return err
		}
	}
	if len(plain) != seal.KeySize {
		return nil // the key of the stamps is there
	}
	if _, err := s.Sealed(ctx, StampRef); err == nil {
		return nil
	} else if !errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("keyrack: reading the store: %w", err)
	}
	return put(ctx, s, sealer, StampRef, nil, seal.NewKey())
}

// put seals a value in the place of another, nil for none. It does nothing if another
// instance was faster.
func put(ctx context.Context, s store.Store, sealer seal.Sealer, ref store.Ref, old, plain []byte) error {
	fresh, err := binding.Seal(sealer, ref, plain)
	if err != nil {
		return fmt.Errorf("keyrack: sealing: %w", err)
	}
	if err := s.Reseal(ctx, ref, old, fresh); err != nil {
		return fmt.Errorf("keyrack: reading the store: %w", err)
	}
	return nil
}

// Open returns the keys of a store that was begun. The error is ErrSealer where the sealer
// does not open them, else the store's.
func Open(ctx context.Context, s store.Store, sealer seal.Sealer) (Keys, error) {
	for {
		sealed, err := s.Sealed(ctx, Ref)
		if err != nil {
			return Keys{}, fmt.Errorf("keyrack: reading the store: %w", err)
		}
		plain, err := open(ctx, s, sealer, sealed)
		if err != nil {
			return Keys{}, err
		}
		var beside []byte
		if len(plain) == seal.KeySize {
			beside, err = s.Sealed(ctx, StampRef)
			if errors.Is(err, store.ErrNotFound) {
				if again, err := s.Sealed(ctx, Ref); err == nil && !bytes.Equal(again, sealed) {
					continue // it was taken there meanwhile
				}
			} else if err != nil {
				return Keys{}, fmt.Errorf("keyrack: reading the store: %w", err)
			}
		}
		return KeysOf(sealer, plain, beside)
	}
}

// KeysOf returns the keys that lie in a value that was opened, and in the sealed one beside it; nil
// for none. The error is ErrSealer.
func KeysOf(sealer seal.Sealer, plain, beside []byte) (keys Keys, err error) {
	if keys.Digester, err = seal.NewDigester(plain[:min(len(plain), seal.KeySize)]); err != nil {
		return keys, fmt.Errorf("%w: %w", ErrSealer, ErrReplaced)
	}
	if secret, mark, ok := required(plain); ok {
		keys.Stamps = stamp.NewKey(secret, mark)
	} else if beside != nil {
		secret, err := binding.Open(sealer, StampRef, beside)
		if err != nil || len(secret) != stamp.KeySize || binding.Former(beside) {
			return keys, fmt.Errorf("%w: %w", ErrSealer, ErrStampKey)
		}
		keys.Stamps = stamp.NewKey(secret, stamp.Mark{})
	}
	return keys, nil
}

// required returns the key of the stamps and the mark, where they lie behind the key of the
// digests.
func required(plain []byte) (secret []byte, mark stamp.Mark, ok bool) {
	if len(plain) != seal.KeySize+stamp.KeySize+8 {
		return nil, mark, false
	}
	rest := plain[seal.KeySize:]
	mark = stamp.Mark{Required: true, After: store.Position(binary.BigEndian.Uint64(rest[stamp.KeySize:]))}
	return rest[:stamp.KeySize], mark, true
}

// attempts bounds how often Require begins again because the key was sealed anew meanwhile.
const attempts = 16

// Require has everything after a position of the journal need a stamp, and every record. A
// store that requires stamps already stays as it is. An instance heeds it from its next start on.
func Require(ctx context.Context, s store.Store, sealer seal.Sealer, after store.Position) error {
	for range attempts {
		old, err := s.Sealed(ctx, Ref)
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		plain, err := open(ctx, s, sealer, old)
		if err != nil {
			return err
		}
		if _, _, ok := required(plain); ok {
			return s.Shred(ctx, StampRef) // the last time, it may not have come so far
		}
		beside, err := s.Sealed(ctx, StampRef)
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		secret, err := binding.Open(sealer, StampRef, beside)
		if err != nil || len(secret) != stamp.KeySize {
			return fmt.Errorf("%w: %w", ErrSealer, ErrStampKey)
		}
		plain = binary.BigEndian.AppendUint64(append(slices.Clip(plain), secret...), uint64(after))
		if err := put(ctx, s, sealer, Ref, old, plain); err != nil {
			return err
		}
	}
	return fmt.Errorf("keyrack: requiring stamps: %w", store.ErrConflict)
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
	_, _, marked := required(key)
	digester, err := seal.NewDigester(key[:min(len(key), seal.KeySize)])
	if err != nil || !marked && len(key) != seal.KeySize {
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
