package keyrack

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// exportFormat is the version of the lines below.
const exportFormat = 1

// exportHeader is the first line of an export.
type exportHeader struct {
	Keyrack   string // "export"
	Format    int
	DigestKey []byte // sealed
}

// exportLine is an integration in an export.
type exportLine struct {
	Integration string
	Record      jsontext.Value
	Tokens      []exportToken `json:",omitzero"`
}

type exportToken struct {
	Digest lifecycle.Digest
	Sealed []byte
}

// ErrExport: what is to be restored is not an export, or one of a newer version.
var ErrExport = errors.New("keyrack: not an export of keyrack's, or one of a newer version")

// Export writes all integrations of a store as JSON Lines, a header first, then
// one line each: its record and, if withTokens says so, its tokens, sealed as
// they are. The journal stays behind. It returns how many integrations it wrote.
func Export(ctx context.Context, s store.Store, w io.Writer, withTokens bool) (int, error) {
	s = guard.Store(s, nil)
	out := bufio.NewWriter(w)
	key, err := s.Sealed(ctx, digestKey)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("keyrack: exporting: %w", err)
	}
	if err := writeLine(out, exportHeader{"export", exportFormat, key}); err != nil {
		return 0, err
	}
	n := 0
	for stored, err := range s.Scan(ctx, "") {
		if err != nil {
			return n, fmt.Errorf("keyrack: exporting: %w", err)
		}
		line := exportLine{Integration: stored.Integration, Record: stored.Record}
		if withTokens {
			if line.Tokens, err = tokensOf(ctx, s, stored); err != nil {
				return n, err
			}
		}
		if err := writeLine(out, line); err != nil {
			return n, err
		}
		n++
	}
	return n, out.Flush()
}

func tokensOf(ctx context.Context, s store.Store, stored store.Stored) ([]exportToken, error) {
	record, err := lifecycle.ParseRecord(stored.Record)
	if err != nil {
		return nil, fmt.Errorf("keyrack: exporting: %w", err)
	}
	var tokens []exportToken
	for _, k := range record.Keys {
		sealed, err := s.Sealed(ctx, store.Ref{Integration: record.ID, Digest: k.Digest})
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keyrack: exporting: %w", err)
		}
		tokens = append(tokens, exportToken{k.Digest, sealed})
	}
	return tokens, nil
}

func writeLine(w *bufio.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("keyrack: exporting: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Restored says what became of one line of an export.
type Restored struct {
	Line        int // from 1 for the header
	Integration string
	// Refused says why the integration was not taken over; empty if it was.
	Refused string
}

// Restore takes the integrations of an export over into a store, and yields what
// became of each. The store must be new, or have the same key of token digests as
// the export; the sealer must open it. An integration that the store has
// already is refused, as is a line that cannot be read, and the rest goes on. The
// error is ErrExport, ErrSealer, or the reader's or the store's, which end it.
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
		if err := takeOverDigestKey(ctx, s, sealer, header.DigestKey); err != nil {
			yield(Restored{Line: 1}, err)
			return
		}
		for n := 2; err == nil; n++ {
			var line []byte
			line, err = lines.ReadBytes('\n')
			if len(line) == 0 {
				break
			}
			one := Restored{Line: n}
			failed := restore(ctx, s, sealer, line, &one)
			if !yield(one, failed) || failed != nil {
				return
			}
		}
		if err != nil && err != io.EOF {
			yield(Restored{}, err)
		}
	}
}

// takeOverDigestKey makes sure that the store has the export's digest key.
func takeOverDigestKey(ctx context.Context, s store.Store, sealer seal.Sealer, key []byte) error {
	wanted, err := sealer.Open(key, digestKey.Name)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrSealer, err)
	}
	if err := s.Reseal(ctx, digestKey, nil, key); err != nil {
		return fmt.Errorf("keyrack: restoring: %w", err)
	}
	has, err := s.Sealed(ctx, digestKey)
	if err != nil {
		return fmt.Errorf("keyrack: restoring: %w", err)
	}
	if key, err := sealer.Open(has, digestKey.Name); err != nil || string(key) != string(wanted) {
		return fmt.Errorf("%w: the store was begun by itself; restore into a new one", ErrExport)
	}
	return nil
}

// restore takes over one line.
func restore(ctx context.Context, s store.Store, sealer seal.Sealer, line []byte, one *Restored) error {
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
			if _, err := sealer.Open(t.Sealed, record.ID); err != nil {
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
