package keyrack

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/history"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// A token has one owner. This file is about evidence that brings the token of another
// integration: of a nameless one it tells the name, and of any other it is a conflict.

// contest tells the owner of a token that another integration came with it,
// where there is somebody to ask whose it is.
func (r *Rack) contest(ctx context.Context, t *taking) {
	if r.schedule == nil {
		return
	}
	owner := r.view.Record(t.evidence.Owner)
	if owner == nil || !holds(owner, t.evidence.Token) { // another instance has just taken it up
		if err := r.reload(ctx, t.evidence.Owner); err != nil {
			r.log.WarnContext(ctx, "a contested token is not noted with its owner", "error", err)
			return
		}
		if owner = r.view.Record(t.evidence.Owner); owner == nil {
			return
		}
	}
	if key, ok := owner.Key(t.evidence.Token); !ok || key.Dispute != "" {
		return
	}
	now := r.clock.Now()
	_, err := r.take(ctx, &taking{id: store.NewEntryID(now), evidence: lifecycle.Evidence{
		Kind: lifecycle.KindContest, At: lifecycle.At(now), Horizon: r.rules().horizon,
		Integration: lifecycle.Named{ID: owner.ID}, Token: t.evidence.Token,
	}})
	if err != nil {
		r.log.WarnContext(ctx, "a contested token is not noted with its owner", "error", err)
	}
}

var errNamed = fmt.Errorf("keyrack: the nameless integration has a name already: %w", store.ErrConflict)

// toName returns the record of a nameless integration that an id is to be the name of.
func (r *Rack) toName(nameless, id string) (*Record, error) {
	nameless = typed.ID(nameless)
	n := r.view.Record(nameless)
	switch {
	case n == nil:
		return nil, ErrNotFound
	case n.ID != nameless:
		return nil, errNamed
	}
	if !join.IsNameless(n.ID) || len(n.Keys) == 0 {
		return nil, fmt.Errorf("%w: the integration that is to get a name is not a nameless one", ErrInvalid)
	}
	if join.IsNameless(id) || id == "" {
		return nil, fmt.Errorf("%w: the name must be the id of an integration of Mews", ErrInvalid)
	}
	if err := checkID(id); err != nil {
		return nil, err
	}
	if other := r.view.Record(id); other != nil && other.Enterprise.ID != "" && n.Enterprise.ID != "" && other.Enterprise.ID != n.Enterprise.ID {
		return nil, fmt.Errorf("%w: the two integrations belong to different enterprises", ErrInvalid)
	}
	return n, nil
}

// names makes evidence say which integration a nameless one is.
func (t *taking) names(n *Record) {
	t.nameless, t.evidence.Owner = n, ""
	t.evidence.Record = string(lifecycle.AppendRecord(nil, *n))
	t.evidence.Token = n.Keys[len(n.Keys)-1].Digest
}

// stay leaves a nameless integration nameless: the evidence contradicts it.
func (t *taking) stay() {
	t.evidence.Owner, t.evidence.Record, t.nameless, t.left = t.nameless.ID, "", nil, Record{}
}

// owned goes on where another integration owns a token. If that is a nameless one, this
// evidence tells its name.
func (r *Rack) owned(ctx context.Context, t *taking, by *store.OwnedError) error {
	if t.yields {
		return by
	}
	e := &t.evidence
	if join.IsNameless(by.Owner) && !join.IsNameless(e.Integration.ID) && e.Kind != lifecycle.KindName && by.Digest == e.Token {
		n, err := r.loadRecord(ctx, by.Owner)
		if err == nil && holds(&n.Record, by.Digest) {
			t.names(&n.Record)
		}
		return err
	}
	e.Owner = by.Owner
	return nil
}

// nameAgain reads a nameless integration anew, after a commit that something else was faster
// than.
func (r *Rack) nameAgain(ctx context.Context, t *taking) error {
	if t.nameless == nil {
		return nil
	}
	id := t.nameless.ID
	if t.left = (Record{}); t.evidence.Kind != lifecycle.KindName {
		t.evidence.Record, t.nameless = "", nil
		return nil
	}
	n, err := r.loadRecord(ctx, id)
	if err != nil {
		return err
	}
	if n.Alias != "" || !holds(&n.Record, t.evidence.Token) {
		return errNamed
	}
	t.names(&n.Record)
	return nil
}

// leaving returns the commit that leaves a nameless integration with nothing but its name.
func (r *Rack) leaving(t *taking, name string) *store.Commit {
	e := lifecycle.Evidence{
		Kind: lifecycle.KindName, At: t.evidence.At, Horizon: t.evidence.Horizon,
		Integration: lifecycle.Named{ID: t.nameless.ID}, Owner: name, By: t.evidence.By,
	}
	next, d := t.nameless.Apply(e)
	t.left = next
	was := r.verdict(t.nameless, e.At)
	judgement := entry.Judgement{Decision: d, Was: was.Status, Is: was.Status, Reason: was.Reason} // it goes on under its name
	c := &store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(e.At.Time()), Integration: next.ID, Version: next.Version, At: e.At,
			Evidence: lifecycle.AppendEvidence(nil, e), Decision: judgement.Append(nil),
		},
		Expect: t.nameless.Version,
		Record: lifecycle.AppendRecord(nil, next),
	}
	for _, k := range t.nameless.Keys {
		c.Disown = append(c.Disown, k.Digest)
	}
	return c
}

// findName looks whether Mews's answers have told what a nameless integration is called. The
// token of exactly one integration that was never announced names its enterprise and service;
// its own is refused; and that of every other nameless one there still works a horizon later,
// so that none of them can be meant.
func (r *Rack) findName(ctx context.Context, id string) {
	record := r.view.Record(id)
	if record == nil || record.Enterprise.ID == "" {
		return
	}
	var nameless, orphans []*Record
	for _, other := range r.view.Enterprise(record.Enterprise.ID) {
		key, _ := other.CurrentKey()
		switch {
		case other.State == lifecycle.Deleted || other.Service.ID != record.Service.ID:
		case join.IsNameless(other.ID):
			nameless = append(nameless, other)
		case isOrphan(other) && key.Proved != 0 && key.Answer == lifecycle.Accepted:
			orphans = append(orphans, other)
		}
	}
	if len(nameless) == 0 || len(orphans) != 1 {
		return
	}
	came, _ := orphans[0].CurrentKey()
	var found *Record
	for _, n := range nameless {
		switch key, _ := n.CurrentKey(); {
		case key.Accepted.Sub(came.Since) > r.rules().horizon:
		case found == nil && r.verdict(n, r.clock.Instant()).Reason == lifecycle.ReasonRejected:
			found = n
		default:
			return
		}
	}
	if found == nil {
		return
	}
	at := r.clock.Now()
	t := &taking{id: store.NewEntryID(at), evidence: lifecycle.Evidence{
		Kind: lifecycle.KindName, At: lifecycle.At(at), Horizon: r.rules().horizon,
		Integration: lifecycle.Named{ID: orphans[0].ID}, By: "keyrack",
	}}
	t.names(found)
	if _, err := r.take(ctx, t); err != nil {
		r.log.WarnContext(ctx, "a nameless integration does not get its name yet", "error", err)
	}
}

// decideAnew decides, and once more whenever the store turns out to have gone back and was
// read anew.
func (r *Rack) decideAnew(ctx context.Context, t *taking) (Receipt, error) {
	for {
		receipt, err := r.decide(ctx, t)
		// Who reads the store anew writes forks, and does not wait for that.
		if !errors.Is(err, history.ErrBack) || t.evidence.Kind == lifecycle.KindFork || r.returned(ctx) != nil {
			return receipt, err
		}
	}
}
