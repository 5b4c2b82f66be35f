package keyrack

import (
	"bytes"
	"context"
	"fmt"
	"iter"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Finding is something in a store that should not be so. It holds no secret.
type Finding struct {
	Integration string // empty where it is about the whole store
	Problem     string
}

// Examine looks at everything in a store, with the sealer that it was begun with,
// and yields what is wrong: records that are not the fold of their journal,
// digests with another owner, sealed values that do not open. A store without
// findings yields nothing. The error is ErrSealer where the key is the wrong one,
// else the store's; the iteration ends with it.
func Examine(ctx context.Context, s store.Store, sealer seal.Sealer) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		x := examination{ctx: ctx, store: guard{store: s}, sealer: guardedSealer{sealer}}
		x.yield = func(f Finding) bool { return yield(f, nil) }
		if err := x.all(); err != nil {
			yield(Finding{}, err)
		}
	}
}

type examination struct {
	ctx    context.Context
	store  store.Store
	sealer seal.Sealer
	yield  func(Finding) bool
	done   bool
}

func (x *examination) find(integration, format string, args ...any) {
	if !x.done {
		x.done = !x.yield(Finding{integration, fmt.Sprintf(format, args...)})
	}
}

func (x *examination) all() error {
	if _, err := openDigester(x.ctx, x.store, x.sealer); err != nil {
		return err
	}
	for stored, err := range x.store.Scan(x.ctx, "") {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		if err := x.integration(stored); err != nil || x.done {
			return err
		}
	}
	for ref, err := range x.store.ScanSealed(x.ctx) {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		if err := x.sealed(ref); err != nil || x.done {
			return err
		}
	}
	return nil
}

// integration folds one integration's journal, and compares.
func (x *examination) integration(stored store.Stored) error {
	id := stored.Integration
	record, err := lifecycle.ParseRecord(stored.Record)
	if err != nil {
		x.find(id, "the record cannot be read: %v", err)
		return nil
	}
	if record.ID != id || record.Version != stored.Version {
		x.find(id, "the record is that of another integration or version")
	}
	folded := Record{ID: id}
	if stored.BaseVersion > 0 {
		if folded, err = lifecycle.ParseRecord(stored.Base); err != nil {
			x.find(id, "the base of the journal cannot be read: %v", err)
			return nil
		}
	}
	for e, err := range x.store.History(x.ctx, id) {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		if e.Version <= stored.BaseVersion {
			continue // the entry that came with the base
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			x.find(id, "entry %v cannot be read: %v", e.ID, err)
			return nil
		}
		var decision lifecycle.Decision
		folded, decision = folded.Apply(evidence)
		entry, err := parseEntry(e)
		switch {
		case err != nil:
			x.find(id, "entry %v cannot be read: %v", e.ID, err)
		case entry.Decision != decision:
			x.find(id, "entry %v was decided otherwise: %v, not %v", e.ID, entry.Decision.Outcome, decision.Outcome)
		case e.Version != folded.Version:
			x.find(id, "entry %v is out of its order", e.ID)
		}
	}
	if !bytes.Equal(lifecycle.AppendRecord(nil, folded), stored.Record) {
		x.find(id, "the record is not the fold of its journal")
	}
	for _, k := range record.Keys {
		if owner, err := x.store.Owner(x.ctx, k.Digest); err != nil || owner != id {
			x.find(id, "the digest %v of its token does not belong to it", k.Digest)
		}
	}
	return nil
}

// sealed opens one sealed value.
func (x *examination) sealed(ref store.Ref) error {
	owner, ok := ownerOf(ref)
	if !ok {
		return nil
	}
	value, err := x.store.Sealed(x.ctx, ref)
	if err != nil {
		return nil // erased meanwhile
	}
	if _, err := x.sealer.Open(value, owner); err != nil {
		what := "a body"
		if ref.Integration != "" {
			what = "a token"
		}
		x.find(ref.Integration, "%s does not open: %v", what, err)
	}
	return nil
}
