package atrest

import (
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// any reports whether a store has integrations.
func (x *examination) any() bool {
	for _, err := range x.store.Scan(x.ctx, "") {
		return err == nil
	}
	return false
}

// beside examines what lies beside the integrations: sealed values, and entries that belong
// to no integration, or to one that is not there.
func (x *examination) beside() error {
	for ref, err := range x.store.ScanSealed(x.ctx) {
		if err != nil {
			return reading(err)
		}
		if err := x.sealed(ref); err != nil || x.done {
			return err
		}
	}
	for e, err := range x.store.History(x.ctx, "", store.EntryID{}) {
		if err != nil {
			return reading(err)
		}
		if _, err := x.stamps.OpenEntry(&e); err != nil {
			x.tell(Finding{Problem: fmt.Sprintf("entry %v: %v", e.ID, err)})
		}
	}
	for range examineAttempts {
		err := x.strays()
		if !errors.Is(err, store.ErrTrimmed) { // else it was trimmed meanwhile
			return err
		}
	}
	return nil
}

// strays looks for entries of integrations that the store does not have.
func (x *examination) strays() error {
	first, _, err := x.store.Bounds(x.ctx)
	if err != nil {
		return reading(err)
	}
	for e, err := range x.store.Journal(x.ctx, first) {
		if err != nil {
			return reading(err)
		}
		if e.Integration == "" || x.known[e.Integration] {
			continue
		}
		x.known[e.Integration] = true
		switch _, err := x.store.Load(x.ctx, e.Integration); {
		case errors.Is(err, store.ErrNotFound):
			x.tell(Finding{e.Integration, "the journal has entries of it, and the store does not have it"})
		case err != nil:
			return reading(err)
		}
	}
	return nil
}

// sealed opens one sealed value.
func (x *examination) sealed(ref store.Ref) error {
	if !isSealed(ref) || ref == digestkey.Ref || ref == digestkey.StampRef {
		return nil
	}
	value, err := x.store.Sealed(x.ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil // erased meanwhile
	}
	if err != nil {
		return reading(err)
	}
	what := "a body"
	switch ref.Kind() {
	case store.RefNamed:
		what = fmt.Sprintf("the value %q", ref.Name)
		_, err = binding.Open(x.sealer, ref, value)
	case store.RefBody:
		_, err = binding.Open(x.sealer, ref, value)
	default:
		if x.digest == nil {
			return nil
		}
		what = fmt.Sprintf("a token (%v)", ref.Digest)
		if _, err = binding.OpenToken(x.sealer, x.digest, ref, value); err == nil {
			return x.owned(ref)
		}
	}
	if err != nil {
		x.tell(Finding{ref.Integration, fmt.Sprintf("%s does not open: %v", what, err)})
	}
	return nil
}

// owned checks that the record knows a token that lies in the store.
func (x *examination) owned(ref store.Ref) error {
	stored, err := x.store.Load(x.ctx, ref.Integration)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return reading(err)
	}
	record, unread := lifecycle.ParseRecord(stored.Record)
	if _, ok := record.Key(ref.Digest); ok || err == nil && unread != nil { // the latter is found elsewhere
		return nil
	}
	if _, err := x.store.Sealed(x.ctx, ref); errors.Is(err, store.ErrNotFound) {
		return nil // erased meanwhile
	}
	x.tell(Finding{ref.Integration, fmt.Sprintf("a token (%v) lies in the store that the record does not know", ref.Digest)})
	return nil
}

// sealedParts are what was sealed with the entries of one integration, as their stamps say.
type sealedParts struct {
	bodies []store.EntryID
	tokens map[lifecycle.Digest]bool
}

// note takes up an entry.
func (p *sealedParts) note(e *store.Entry, evidence *lifecycle.Evidence, parts stamp.Parts) {
	if evidence.Kind == lifecycle.KindErase {
		p.bodies = nil // it erased those of all entries before it
	}
	if parts&stamp.Body != 0 {
		p.bodies = append(p.bodies, e.ID)
	}
	if parts&stamp.Token != 0 && evidence.Token != (lifecycle.Digest{}) {
		if p.tokens == nil {
			p.tokens = make(map[lifecycle.Digest]bool)
		}
		p.tokens[evidence.Token] = true
	}
}

// gone returns what should still be in the store and is not: every body, and the tokens
// that a verdict may need.
func (p *sealedParts) gone(x *examination, record *lifecycle.Record) (all []string, err error) {
	missing := func(ref store.Ref, what string) {
		if _, failed := x.store.Sealed(x.ctx, ref); errors.Is(failed, store.ErrNotFound) {
			all = append(all, what)
		} else if failed != nil && err == nil {
			err = reading(failed)
		}
	}
	for _, id := range p.bodies {
		missing(store.Ref{Entry: id}, fmt.Sprintf("the body of entry %v", id))
	}
	for _, k := range record.Keys {
		inUse := k.Status == lifecycle.Current || k.Status == lifecycle.Candidate
		if p.tokens[k.Digest] && inUse && record.Retains(k.Digest, 0, 0) {
			missing(store.Ref{Integration: record.ID, Digest: k.Digest}, fmt.Sprintf("the sealed token %v", k.Digest))
		}
	}
	return all, err
}
