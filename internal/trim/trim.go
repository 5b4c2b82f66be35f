// Package trim shortens the journal to what is to be kept: limits come in, and what is left
// of each integration still folds to its record, from a snapshot.
//
//	limits ──► Pass ──► all integrations, or those with news since the pass before ──► Trim
//
// A pass leaves in the store, under a name, how far it has looked. The next one then looks at
// the integrations alone that the journal has news of, as long as the limit of entries is the
// same and nothing that is left has grown too old. So a pass with nothing to do costs nothing
// for each of many integrations.
package trim

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Young is how old an entry is at least before it is trimmed, whatever the limits say, so
// that it is there for those who follow the journal.
const Young = time.Hour

// ErrUnreadable: what the journal has of an integration cannot be folded.
var ErrUnreadable = errors.New("the journal of the integration cannot be read")

// one shortens the history of one integration. The error wraps ErrUnreadable if what is left
// cannot be folded.
func (p *Pass) one(ctx context.Context, stored store.Stored) error {
	record := lifecycle.Record{ID: stored.Integration}
	if stored.BaseVersion > 0 {
		var err error
		if record, err = lifecycle.ParseRecord(stored.Base); err != nil {
			return fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
	}
	var left []store.Entry
	for e, err := range p.Store.History(ctx, stored.Integration, store.EntryID{}) {
		if err != nil {
			return err
		}
		if left = append(left, e); len(left) == 1 && p.sparse(&stored) && e.At >= p.Before {
			p.oldest(e.At)
			return nil
		}
	}
	dropped := 0
	defer func() {
		if dropped < len(left) {
			p.oldest(left[dropped].At)
		}
	}()
	drop, count := 0, counted(left, p.Keep)
	for drop < len(left) {
		e := left[drop]
		tooMany := p.Keep >= 0 && (count[drop] > p.Keep || len(left)-drop > issuesPer*p.Keep)
		if e.Position == 0 || e.Position > p.Worked || p.Now.Sub(e.At) < Young || !tooMany && e.At >= p.Before {
			break
		}
		drop++
	}
	if drop == 0 {
		return nil
	}
	last := left[drop-1]
	if stored.Integration == "" {
		dropped = drop
		return p.trim(ctx, "", uint64(last.Position), nil)
	}
	for _, e := range left[:drop] {
		if e.Version <= record.Version {
			continue // it came with the base
		}
		if e.Version != record.Version+1 {
			return nil // another instance is trimming
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			return fmt.Errorf("%w: %w", ErrUnreadable, err)
		}
		record, _ = record.Apply(evidence)
	}
	dropped = drop
	return p.trim(ctx, stored.Integration, last.Version, lifecycle.AppendRecord(nil, record))
}

// sparse reports whether an integration has so few entries that none is too many.
func (p *Pass) sparse(stored *store.Stored) bool {
	return stored.Integration != "" && (p.Keep < 0 || stored.Version-stored.BaseVersion <= uint64(p.Keep))
}

func (p *Pass) trim(ctx context.Context, integration string, through uint64, base []byte) error {
	err := p.Store.Trim(ctx, integration, through, base)
	if err == nil {
		p.Trimmed++
	}
	return err
}

// issuesPer is how many entries are kept at most for each that Retention.Entries allows,
// where tokens were issued.
const issuesPer = 10

// counted returns, for each entry, how many from it on count for Retention.Entries: all but
// those that say who got a token. They are read only where it matters.
func counted(left []store.Entry, keep int) []int {
	count := make([]int, len(left))
	n := 0
	for i, e := range slices.Backward(left) {
		issue := false
		if keep >= 0 && len(left) > keep {
			evidence, err := lifecycle.ParseEvidence(e.Evidence)
			issue = err == nil && evidence.Kind == lifecycle.KindIssue
		}
		if !issue {
			n++
		}
		count[i] = n
	}
	return count
}
