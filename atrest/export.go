package atrest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// exportFormat is the version of the form of exports.
const exportFormat = 1

// exportHeader is the first line of an export.
type exportHeader struct {
	Keyrack   string // "export"
	Format    int
	DigestKey []byte // sealed
	StampKey  []byte `json:",omitempty"` // sealed; unless it lies in DigestKey, or the store has none
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

// Export writes all integrations of a store as JSON Lines: a header, then one line for
// each integration. A line has the integration's record, with its stamp, and, if withTokens is true, its
// tokens, sealed as they are. The journal stays behind. Export returns how many
// integrations it wrote.
func Export(ctx context.Context, s store.Store, w io.Writer, withTokens bool) (int, error) {
	s = guard.Store(s, nil)
	out := bufio.NewWriter(w)
	key, err := s.Sealed(ctx, digestkey.Ref)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("atrest: exporting: %w", err)
	}
	stamps, err := s.Sealed(ctx, digestkey.StampRef)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("atrest: exporting: %w", err)
	}
	if err := writeLine(out, exportHeader{"export", exportFormat, key, stamps}); err != nil {
		return 0, err
	}
	n := 0
	for stored, err := range s.Scan(ctx, "") {
		if err != nil {
			return n, fmt.Errorf("atrest: exporting: %w", err)
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
		return nil, fmt.Errorf("atrest: exporting: %w", err)
	}
	var tokens []exportToken
	for _, k := range record.Keys {
		sealed, err := s.Sealed(ctx, store.Ref{Integration: record.ID, Digest: k.Digest})
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("atrest: exporting: %w", err)
		}
		tokens = append(tokens, exportToken{k.Digest, sealed})
	}
	return tokens, nil
}

func writeLine(w *bufio.Writer, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("atrest: exporting: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}
