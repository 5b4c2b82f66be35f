package atrest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Finding is something in a store that should not be so. It holds no secret.
type Finding struct {
	Integration string // empty if it is about the whole store
	Problem     string
}

// Examine looks at everything in a store, with the sealer that it was begun with, and
// yields what is wrong: records that are not the fold of their journal, digests with
// another owner, sealed values that do not open or lie in the place of others, and what was changed,
// moved or taken away without the sealing key. It yields nothing for a sound store.
// It ends at its first error: ErrSealer if the sealer is another one, or the store's.
func Examine(ctx context.Context, s store.Store, sealer seal.Sealer) iter.Seq2[Finding, error] {
	return func(yield func(Finding, error) bool) {
		x := examination{ctx: ctx, store: guard.Store(s, nil), sealer: guard.Sealer(sealer)}
		x.yield = func(f Finding) bool { return yield(f, nil) }
		if err := x.all(); err != nil {
			yield(Finding{}, err)
		}
	}
}

// examineAttempts bounds how often an integration is examined anew because somebody
// committed or trimmed meanwhile.
const examineAttempts = 16

type examination struct {
	ctx    context.Context
	store  store.Store
	sealer seal.Sealer
	digest binding.Digest // nil where the key of the digests is not there
	stamps stamp.Key
	known  map[string]bool // the integrations that were examined
	// keyless: it was told that there is no key of the stamps.
	keyless bool
	yield   func(Finding) bool
	found   []Finding // of one integration
	done    bool
}

func (x *examination) tell(f Finding) {
	if !x.done {
		x.done = !x.yield(f)
	}
}

func (x *examination) all() error {
	switch keys, err := digestkey.Open(x.ctx, x.store, x.sealer); {
	case errors.Is(err, digestkey.ErrReplaced):
		x.tell(Finding{Problem: digestkey.ErrReplaced.Error()})
	case errors.Is(err, digestkey.ErrStampKey):
		x.tell(Finding{Problem: digestkey.ErrStampKey.Error()})
		x.digest, x.keyless = keys.Digester.Sum, true
	case errors.Is(err, store.ErrNotFound) && x.any():
		x.tell(Finding{Problem: "the key of the token digests is gone; put it back from a backup"})
	case err != nil:
		return err
	default:
		x.digest, x.stamps = keys.Digester.Sum, keys.Stamps
	}
	x.known = make(map[string]bool)
	for stored, err := range x.store.Scan(x.ctx, "") {
		if err != nil {
			return reading(err)
		}
		x.known[stored.Integration] = true
		if x.digest != nil && x.stamps.IsZero() && stamp.Has(stored.Record) && !x.keyless {
			x.keyless = true
			x.tell(Finding{Problem: "the key of the stamps is gone; put it back from a backup"})
		}
		if err := x.steady(stored); err != nil || x.done {
			return err
		}
	}
	return x.beside()
}

// steady examines one integration. It begins again if something was found and somebody
// has committed or trimmed meanwhile, which may be why.
func (x *examination) steady(stored store.Stored) error {
	for range examineAttempts {
		x.found = nil
		if err := x.integration(stored); err != nil {
			return err
		}
		if len(x.found) == 0 {
			return nil
		}
		now, err := x.store.Load(x.ctx, stored.Integration)
		if err != nil {
			return reading(err)
		}
		if now.Version == stored.Version && now.BaseVersion == stored.BaseVersion {
			break
		}
		stored = now
	}
	for _, f := range x.found {
		x.tell(f)
	}
	return nil
}

// integration folds one integration's journal, and compares the result with its record.
func (x *examination) integration(stored store.Stored) error {
	id := stored.Integration
	find := func(format string, args ...any) {
		x.found = append(x.found, Finding{id, fmt.Sprintf(format, args...)})
	}
	chain := x.stamps.Begin(&stored)
	var unfit, unfitBase error
	if stored.Record, unfit = x.stamps.OpenRecord(&stored); unfit != nil {
		find("the record: %v", unfit)
	}
	if stored.Base, unfitBase = x.stamps.OpenBase(&stored); unfitBase != nil {
		find("the base of the journal: %v", unfitBase)
	}
	record, err := lifecycle.ParseRecord(stored.Record)
	if err != nil {
		find("the record cannot be read: %v", err)
		return nil
	}
	if record.ID != id || record.Version != stored.Version {
		find("the record is that of another integration or version")
	}
	folded := lifecycle.Record{ID: id}
	if stored.BaseVersion > 0 {
		if folded, err = lifecycle.ParseRecord(stored.Base); err != nil {
			find("the base of the journal cannot be read: %v", err)
			return nil
		}
	}
	// Earlier rules may have decided otherwise than today's. Decisions are compared from
	// the upgrade on.
	var otherwise []string
	var last store.Position
	var came sealedParts
	for e, err := range x.store.History(x.ctx, id, store.EntryID{}) {
		if err != nil {
			return reading(err)
		}
		parts, err := chain.Next(&e)
		if err != nil {
			find("entry %v: %v", e.ID, err)
		}
		if e.Position != 0 && e.Position <= last {
			find("entry %v is out of its order", e.ID)
		}
		last = max(last, e.Position)
		if e.Version <= stored.BaseVersion {
			continue // the entry that came with the base
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			find("entry %v cannot be read: %v", e.ID, err)
			return nil
		}
		came.note(&e, &evidence, parts)
		var decision lifecycle.Decision
		folded, decision = folded.Apply(evidence)
		_, judged, err := entry.Parse(e)
		switch {
		case err != nil:
			find("entry %v cannot be read: %v", e.ID, err)
		case judged.Decision != decision:
			otherwise = append(otherwise, fmt.Sprintf("entry %v was decided otherwise: %v, not %v", e.ID, judged.Decision.Outcome, decision.Outcome))
		case e.Version != folded.Version:
			find("entry %v is out of its order", e.ID)
		}
		if evidence.Kind == lifecycle.KindUpgrade || evidence.Kind == lifecycle.KindJoin {
			otherwise = nil
		}
	}
	_, outdated := record.Upgrade(0)
	if outdated {
		otherwise = nil
	}
	for _, what := range otherwise {
		find("%s", what)
	}
	fold := lifecycle.AppendRecord(nil, folded)
	// An earlier version may have written the same record with other names.
	if !outdated && !bytes.Equal(fold, stored.Record) && !bytes.Equal(fold, lifecycle.AppendRecord(nil, record)) {
		find("the record is not the fold of its journal")
	}
	for _, k := range record.Keys {
		owner, err := x.store.Owner(x.ctx, k.Digest)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return reading(err)
		}
		if owner != id {
			find("the digest %v of its token does not belong to it", k.Digest)
		}
	}
	gone, err := came.gone(x, &record)
	for _, what := range gone {
		find("%s is gone", what)
	}
	return err
}
