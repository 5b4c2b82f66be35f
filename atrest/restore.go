package atrest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrExport: the input is not an export, or one that a newer version wrote.
	ErrExport = errors.New("atrest: not a keyrack export, or one of a newer version; make one with this version's export")
	// ErrSealer: the sealer is not the one with which the store, or the store that was
	// exported, was begun.
	ErrSealer = digestkey.ErrSealer
)

// Restored says what became of one line of an export.
type Restored struct {
	Line        int // the header is line 1
	Integration string
	// Refused says why the integration was not restored; it is empty if it was.
	Refused string
}

// Restore writes the integrations of an export into a store, and yields what became of
// each. The store must be new, or have the same key of token digests as the export,
// and the sealer must open that key. An integration that the store has already is
// refused, as is a line that cannot be read, and the next line follows. Restore ends at
// its first error: ErrExport, ErrSealer, the reader's or the store's.
func Restore(ctx context.Context, s store.Store, sealer seal.Sealer, r io.Reader) iter.Seq2[Restored, error] {
	return func(yield func(Restored, error) bool) {
		s, sealer := guard.Store(s, nil), guard.Sealer(sealer)
		lines := bufio.NewReader(r)
		first, err := lines.ReadBytes('\n')
		var header exportHeader
		if json.Unmarshal(first, &header) != nil || header.Keyrack != "export" || header.Format != exportFormat {
			yield(Restored{Line: 1}, ErrExport)
			return
		}
		exported, keys, failed := takeOverKeys(ctx, s, sealer, &header)
		if failed != nil {
			yield(Restored{Line: 1}, failed)
			return
		}
		r := restorer{stamp.Store(s, keys.Stamps), sealer, keys.Digester.Sum, exported.Stamps}
		for n := 2; err == nil; n++ {
			var line []byte
			line, err = lines.ReadBytes('\n')
			if len(line) == 0 {
				break
			}
			one := Restored{Line: n}
			failed := r.line(ctx, line, &one)
			if !yield(one, failed) || failed != nil {
				return
			}
		}
		if err != nil && err != io.EOF {
			yield(Restored{}, err)
		}
	}
}

// takeOverKeys makes sure that the store has the export's digest key, and returns the keys of
// the export and of the store. If the export required stamps, a new store does from its beginning.
func takeOverKeys(ctx context.Context, s store.Store, sealer seal.Sealer, header *exportHeader) (exported, keys digestkey.Keys, err error) {
	wanted, err := binding.Open(sealer, digestkey.Ref, header.DigestKey)
	if err != nil {
		return exported, keys, fmt.Errorf("%w: %w", ErrSealer, err)
	}
	if exported, err = digestkey.KeysOf(sealer, wanted, header.StampKey); err != nil {
		return exported, keys, err
	}
	key, err := binding.Seal(sealer, digestkey.Ref, wanted[:seal.KeySize])
	if err != nil {
		return exported, keys, fmt.Errorf("atrest: restoring: %w", err)
	}
	_, err = s.Sealed(ctx, digestkey.Ref)
	fresh := errors.Is(err, store.ErrNotFound)
	if err := s.Reseal(ctx, digestkey.Ref, nil, key); err != nil {
		return exported, keys, fmt.Errorf("atrest: restoring: %w", err)
	}
	has, err := s.Sealed(ctx, digestkey.Ref)
	if err != nil {
		return exported, keys, fmt.Errorf("atrest: restoring: %w", err)
	}
	if key, err := binding.Open(sealer, digestkey.Ref, has); err != nil || len(key) < seal.KeySize || string(key[:seal.KeySize]) != string(wanted[:seal.KeySize]) {
		return exported, keys, fmt.Errorf("%w: the store was begun by itself; restore into a new one", ErrExport)
	}
	if err := digestkey.Begin(ctx, s, sealer); err != nil {
		return exported, keys, err
	}
	if fresh && exported.Stamps.Required {
		if err := digestkey.Require(ctx, s, sealer, 0); err != nil {
			return exported, keys, err
		}
	}
	keys, err = digestkey.Open(ctx, s, sealer)
	return exported, keys, err
}

// restorer restores the lines of an export.
type restorer struct {
	store    store.Store
	sealer   seal.Sealer
	digest   binding.Digest
	exported stamp.Key // of the store that was exported
}

// line restores one integration.
func (r restorer) line(ctx context.Context, line []byte, one *Restored) error {
	var l exportLine
	if json.Unmarshal(line, &l) != nil {
		one.Refused = "the line cannot be read"
		return nil
	}
	one.Integration = l.Integration
	record, err := lifecycle.ParseRecord(l.Record)
	if err != nil || record.ID != l.Integration || record.ID == "" {
		one.Refused = "the record cannot be read"
		return nil
	}
	if _, err := r.exported.Exported(record.ID, record.Version, l.Record); err != nil {
		one.Refused = "the record was changed, or written, without the sealing key"
		return nil
	}
	record.Version = 1
	claims := make([]store.Claim, 0, len(record.Keys))
	for _, k := range record.Keys {
		claim := store.Claim{Digest: k.Digest}
		for _, t := range l.Tokens {
			if t.Digest != k.Digest {
				continue
			}
			if _, err := binding.OpenToken(r.sealer, r.digest, store.Ref{Integration: record.ID, Digest: k.Digest}, t.Sealed); err != nil {
				one.Refused = "a token does not open"
				return nil
			}
			claim.Sealed = t.Sealed
		}
		claims = append(claims, claim)
	}
	now := time.Now()
	evidence := lifecycle.Evidence{
		Kind: lifecycle.KindRestore, At: lifecycle.At(now), Integration: lifecycle.Named{ID: record.ID},
	}
	decision := lifecycle.Decision{Outcome: lifecycle.Applied, From: record.State, To: record.State}
	_, err = r.store.Commit(ctx, store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(now), Integration: record.ID, Version: 1, At: evidence.At,
			Evidence: lifecycle.AppendEvidence(nil, evidence),
			Decision: entry.Judgement{Decision: decision}.Append(nil),
		},
		Record: lifecycle.AppendRecord(nil, record), Claim: claims, Forget: true,
	})
	switch {
	case errors.Is(err, store.ErrConflict):
		one.Refused = "the store has this integration already"
		return nil
	case errors.Is(err, store.ErrOwned):
		one.Refused = "a token belongs to another integration"
		return nil
	}
	return err
}
