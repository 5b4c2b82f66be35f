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
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrExport: the input is not an export, or one that a newer version wrote.
	ErrExport = errors.New("atrest: not an export of keyrack's, or one of a newer version")
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
		digester, failed := takeOverDigestKey(ctx, s, sealer, header.DigestKey)
		if failed != nil {
			yield(Restored{Line: 1}, failed)
			return
		}
		for n := 2; err == nil; n++ {
			var line []byte
			line, err = lines.ReadBytes('\n')
			if len(line) == 0 {
				break
			}
			one := Restored{Line: n}
			failed := restoreLine(ctx, s, sealer, digester.Sum, line, &one)
			if !yield(one, failed) || failed != nil {
				return
			}
		}
		if err != nil && err != io.EOF {
			yield(Restored{}, err)
		}
	}
}

// takeOverDigestKey makes sure that the store has the export's digest key, and returns what
// makes digests with it.
func takeOverDigestKey(ctx context.Context, s store.Store, sealer seal.Sealer, key []byte) (seal.Digester, error) {
	wanted, err := binding.Open(sealer, digestkey.Ref, key)
	if err != nil {
		return seal.Digester{}, fmt.Errorf("%w: %w", ErrSealer, err)
	}
	if err := s.Reseal(ctx, digestkey.Ref, nil, key); err != nil {
		return seal.Digester{}, fmt.Errorf("atrest: restoring: %w", err)
	}
	has, err := s.Sealed(ctx, digestkey.Ref)
	if err != nil {
		return seal.Digester{}, fmt.Errorf("atrest: restoring: %w", err)
	}
	if key, err := binding.Open(sealer, digestkey.Ref, has); err != nil || string(key) != string(wanted) {
		return seal.Digester{}, fmt.Errorf("%w: the store was begun by itself; restore into a new one", ErrExport)
	}
	return seal.NewDigester(wanted)
}

// restoreLine restores one integration.
func restoreLine(ctx context.Context, s store.Store, sealer seal.Sealer, digest binding.Digest, line []byte, one *Restored) error {
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
	record.Version = 1
	claims := make([]store.Claim, 0, len(record.Keys))
	for _, k := range record.Keys {
		claim := store.Claim{Digest: k.Digest}
		for _, t := range l.Tokens {
			if t.Digest != k.Digest {
				continue
			}
			if _, err := binding.OpenToken(sealer, digest, store.Ref{Integration: record.ID, Digest: k.Digest}, t.Sealed); err != nil {
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
	_, err = s.Commit(ctx, store.Commit{
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
