package keyrack

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// IssueToken returns the current token of an integration, as Token does, for
// somebody outside of the process, and journals who got it. by names the caller, such as
// an API key; it is journalled, so it must not be a person's name. A token is issued only
// if its verdict is Active; otherwise the error is a *NotActiveError. Other errors are
// those of Token and Deliver, and then no token is issued.
func (r *Rack) IssueToken(ctx context.Context, integration, by string) (Token, Verdict, error) {
	token, v, err := r.Token(ctx, integration)
	if err != nil {
		return Token{}, v, err
	}
	if !v.Active() {
		return Token{}, v, &NotActiveError{v}
	}
	if _, err := r.byHand(ctx, lifecycle.KindIssue, integration, by, r.digest(token)); err != nil {
		return Token{}, v, err
	}
	return token, v, nil
}

var errNoProber = fmt.Errorf("%w: this Rack has no prober; set Options.Prober, for example to a connector.Client", ErrInvalid)

// EraseBodies erases the bodies of all deliveries about an integration, and with
// them whatever they said of persons. What was decided stays, and the journal
// says that it was done. The error is ErrNotFound, or the store's.
func (r *Rack) EraseBodies(ctx context.Context, integration string) (Receipt, error) {
	return r.byHand(ctx, lifecycle.KindErase, integration, "", lifecycle.Digest{})
}

// Forget erases everything about an integration: its record, its history, its
// tokens and their digests. What is left is an entry in the journal that says
// so. A webhook that comes later meets an integration that was never heard of.
// The error is ErrNotFound, or the store's.
func (r *Rack) Forget(ctx context.Context, integration string) (Receipt, error) {
	return r.byHand(ctx, lifecycle.KindForget, integration, "", lifecycle.Digest{})
}

// byHand journals something that a person, or a program for one, wants done.
func (r *Rack) byHand(ctx context.Context, kind lifecycle.Kind, integration, by string, token lifecycle.Digest) (Receipt, error) {
	integration = r.name(integration)
	if err := r.visit(ctx, integration); err != nil || r.view.Record(integration) == nil {
		return Receipt{}, cmp.Or(err, ErrNotFound)
	}
	evidence := lifecycle.Evidence{Kind: kind, Token: token, By: by}
	if kind == lifecycle.KindErase || kind == lifecycle.KindForget {
		// Other spellings first, so that an error leaves something to be called again for.
		for _, spelling := range r.spelled.Of(integration) {
			if receipt, err := r.takeAbout(ctx, spelling, evidence); err != nil {
				return receipt, err
			}
		}
	}
	return r.takeAbout(ctx, integration, evidence)
}

// Settlement is how things are with an integration, as a person found out. What is left
// out is not said.
type Settlement struct {
	// Enabled and Canceled say how the two flags stand.
	Enabled, Canceled lifecycle.Flag
	// Current is the token that is the current one, by its digest: one of the record's Keys.
	// A token that is not known yet is brought by Import.
	Current lifecycle.Digest
	// Enterprise is the integration's enterprise. What belongs to another one is refused.
	Enterprise string
	// AnsweredBy is the enterprise that Mews names in its answers for the integration's: a
	// chain for its property, or the other way round.
	AnsweredBy string
	// AsOfBackup: all else is as the store has it. It ends the doubt of a store that went back
	// (ReasonForked), and says nothing about any other integration.
	AsOfBackup bool
	// Who says so, and Why, at most 256 bytes each. Both are required. They may name persons,
	// so they are kept sealed beside the journal, as the bodies of deliveries are, and Body
	// shows them to those who may see persons. As a Token, neither is printed by accident.
	Who, Why Token
	// By names the program or the API key through which it was said, and no person.
	By string
}

// Settle takes in a person's word about an integration. It is evidence like any other:
// journalled, older than every answer to a request that begins later, and followed by a
// probe where there is a prober. It never moves an integration to another enterprise
// (Conflict), never reopens a deleted one (Stale: Import does), and does not prove a token
// (unproved). The error is ErrInvalid, ErrNotFound, or the store's as for Deliver.
func (r *Rack) Settle(ctx context.Context, integration string, s Settlement) (Receipt, error) {
	return r.Act(ctx, Act{Kind: lifecycle.KindSettle, Integration: integration, Settlement: s, Who: s.Who, Why: s.Why, By: s.By})
}

// check returns ErrInvalid for what says nothing.
func (s *Settlement) check() error {
	switch {
	case s.Enabled > lifecycle.Yes || s.Canceled > lifecycle.Yes:
		return fmt.Errorf("%w: Settlement.Enabled and Canceled must be Unset, Yes or No", ErrInvalid)
	case s.AsOfBackup && s.AnsweredBy != "":
		return fmt.Errorf("%w: a Settlement says AsOfBackup or AnsweredBy, not both", ErrInvalid)
	case s.Enabled == lifecycle.Unset && s.Canceled == lifecycle.Unset && s.Current == lifecycle.Digest{} && s.AnsweredBy == "" && !s.AsOfBackup:
		return fmt.Errorf("%w: a Settlement says nothing: set Enabled, Canceled, Current, AnsweredBy or AsOfBackup", ErrInvalid)
	}
	for _, id := range []string{s.Enterprise, s.AnsweredBy} {
		if err := checkID(typed.ID(id)); err != nil {
			return err
		}
	}
	return nil
}

// Act is something that a person has done by hand, with who wants it and why. Kind decides
// which of the other fields are used.
type Act struct {
	// Kind is KindProbeRequest, KindSettle, KindImport, KindLabel, KindName, KindErase, KindForget
	// or KindFork of package lifecycle, or KindControl for what is about a subscription. KindFork
	// says that an earlier state of the store was put back, and that nobody knows what the
	// integration lost: it is Unknown (ReasonForked) until a 200, or a Settlement.
	Kind lifecycle.Kind
	// Nameless is, for KindName, the id of ours under which Integration was known: see
	// Connect. Its token, labels and history become Integration's. Both must be of one
	// enterprise.
	Nameless string
	// Integration is the one that it is about; Import names its own.
	Integration string
	Settlement  Settlement // its Who, Why and By are not used
	Import      Import
	// Labels are set and the keys in Unlabel removed, for KindLabel: see Rack.Label.
	Labels  map[string]string
	Unlabel []string
	// Subscription is the name of the one to control. Do is "pause", "resume", "retry" or
	// "discard": atrest.Pause, atrest.Resume, atrest.RetryDeadLetters from Letter on, or
	// atrest.DiscardDeadLetters for the one at Letter, in both cases 0 for all letters.
	Subscription, Do string
	Letter           store.Position
	// Who wants it, and Why, at most 256 bytes each, are required and kept sealed as those of
	// a Settlement. By names the program or the API key, and no person.
	Who, Why Token
	By       string
	// ID becomes the entry's. Make one with store.NewEntryID when the act is shown to the
	// person: an act that is repeated with the same ID is done once. Version is then that of
	// the Preview which the person saw, and the act is refused with store.ErrConflict if
	// anything has happened to the integration since. The zero ID means a new one, whatever
	// has happened.
	ID      store.EntryID
	Version uint64
}

// Preview is what an act would do.
type Preview struct {
	Version  uint64             // of the record as it is; 0 for an unknown integration
	Decision lifecycle.Decision // what would become of it
	Was, Is  Verdict            // on the current token, before and after
}

// Preview returns what an act about an integration would do now, and changes nothing. Who and
// Why may still be missing. What Mews answers afterwards is not in it. The error is
// ErrInvalid, also for KindControl, or ErrNotFound.
func (r *Rack) Preview(a Act) (Preview, error) {
	t, err := r.takingOf(&a)
	if err != nil {
		return Preview{}, err
	}
	e := &t.evidence
	if e.Kind == lifecycle.KindControl {
		return Preview{}, fmt.Errorf("%w: what is done to a subscription changes no verdict", ErrInvalid)
	}
	if owner := r.view.Owner(e.Token); e.Kind == lifecycle.KindImport && owner != nil && owner.ID != e.Integration.ID {
		if e.Owner = owner.ID; join.IsNameless(owner.ID) {
			t.names(owner)
		}
	}
	base := r.base(e.Integration.ID).Record
	p := Preview{Version: base.Version}
	if upgrade, outdated := base.Upgrade(e.At); outdated {
		base, _ = base.Apply(upgrade)
	}
	next, decision := base.Apply(*e)
	p.Decision = decision
	if e.Kind != lifecycle.KindForget { // of what is forgotten nothing is familiar
		p.Is = r.verdict(&next, e.At)
	}
	if base.Version > 0 {
		p.Was = r.verdict(&base, e.At)
	}
	return p, nil
}

// Act does something by hand, and journals it with who wanted it and why. What it does to an
// integration is that of Probe, Settle, Import, Label, EraseBodies or Forget. The error is
// ErrInvalid, ErrNotFound, store.ErrConflict for a Version that is not the record's any more,
// atrest.ErrNoLetters, or the store's as for Deliver.
func (r *Rack) Act(ctx context.Context, a Act) (Receipt, error) {
	receipt, err := r.act(ctx, &a)
	if err != nil && !a.ID.IsZero() {
		integration := typed.ID(cmp.Or(a.Integration, a.Import.Integration.ID)) // empty for a subscription
		for c, err := range r.History(ctx, integration) {
			if err == nil && c.ID == a.ID { // it was done already
				return Receipt{ID: a.ID, Integration: c.Integration, Decision: c.Decision, Verdict: r.CheckIntegration(c.Integration)}, nil
			}
		}
	}
	return receipt, err
}

func (r *Rack) act(ctx context.Context, a *Act) (Receipt, error) {
	if err := a.checkWords(); err != nil {
		return Receipt{}, err
	}
	if err := r.visit(ctx, typed.ID(a.Integration)); err != nil {
		return Receipt{}, err
	}
	t, err := r.takingOf(a)
	if err != nil {
		return Receipt{}, err
	}
	said, err := entry.Said(a.Who.Reveal(), a.Why.Reveal())
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: Who and Why must be UTF-8", ErrInvalid)
	}
	if t.body, err = binding.Seal(r.sealer, store.Ref{Entry: t.id}, said); err != nil {
		return Receipt{}, fmt.Errorf("keyrack: sealing: %w", err)
	}
	if a.Kind == lifecycle.KindControl {
		return r.control(ctx, a, t)
	}
	if !a.ID.IsZero() {
		t.fence = &a.Version
	}
	receipt, err := r.take(ctx, t)
	if err == nil && (a.Kind == lifecycle.KindErase || a.Kind == lifecycle.KindForget) {
		for _, spelling := range r.spelled.Of(t.evidence.Integration.ID) {
			if _, err := r.takeAbout(ctx, spelling, lifecycle.Evidence{Kind: a.Kind, By: a.By}); err != nil {
				return receipt, err
			}
		}
	}
	return receipt, err
}

// checkWords returns ErrInvalid for an act that does not say who and why.
func (a *Act) checkWords() error {
	who, why := a.Who.Reveal(), a.Why.Reveal()
	switch {
	case strings.TrimSpace(who) == "" || strings.TrimSpace(why) == "":
		return fmt.Errorf("%w: what is done by hand needs Who and Why", ErrInvalid)
	case len(who) > wordLimit || len(why) > wordLimit:
		return fmt.Errorf("%w: Who and Why are at most 256 bytes each", ErrInvalid)
	}
	return nil
}

// takingOf returns an act as evidence that arrives now.
func (r *Rack) takingOf(a *Act) (*taking, error) {
	now, id := r.clock.Now(), typed.ID(a.Integration)
	t := &taking{id: a.ID, evidence: lifecycle.Evidence{Kind: a.Kind, By: a.By}}
	e := &t.evidence
	switch a.Kind {
	case lifecycle.KindProbeRequest:
		if r.options.Prober == nil {
			return nil, errNoProber
		}
	case lifecycle.KindErase, lifecycle.KindForget, lifecycle.KindFork:
	case lifecycle.KindSettle:
		s := &a.Settlement
		if err := s.check(); err != nil {
			return nil, err
		}
		e.Enterprise.ID, e.AnsweredBy, e.Token, e.IsEnabled, e.IsCanceled = typed.ID(s.Enterprise), typed.ID(s.AnsweredBy), s.Current, s.Enabled, s.Canceled
	case lifecycle.KindImport:
		if err := a.Import.read(); err != nil {
			return nil, err
		}
		*e, t.token = a.Import.evidence(r.digest(a.Import.Token)), a.Import.Token
		e.By, id = a.By, e.Integration.ID
	case lifecycle.KindLabel:
		var err error
		if e.Labels, e.Unlabel, err = labelling(r.view.Record(r.name(id)), a.Labels, a.Unlabel); err != nil {
			return nil, err
		}
	case lifecycle.KindName:
		n, err := r.toName(a.Nameless, id)
		if err != nil {
			return nil, err
		}
		t.names(n)
	case lifecycle.KindControl:
		if a.Subscription == "" || !slices.Contains([]string{"pause", "resume", "retry", "discard"}, a.Do) {
			return nil, fmt.Errorf("%w: to control a subscription, set Subscription, and Do to pause, resume, retry or discard", ErrInvalid)
		}
		id, e.Operation = "", a.Do+" "+a.Subscription
	default:
		return nil, fmt.Errorf("%w: %v cannot be done by hand; use KindProbeRequest, KindSettle, KindImport, KindLabel, KindName, KindErase, KindForget, KindFork or KindControl", ErrInvalid, a.Kind)
	}
	if a.Kind != lifecycle.KindImport && a.Kind != lifecycle.KindControl && a.Kind != lifecycle.KindName && r.view.Record(id) == nil {
		return nil, ErrNotFound
	}
	if t.id.IsZero() {
		t.id = store.NewEntryID(now)
	}
	e.At, e.Horizon, e.Integration.ID = lifecycle.At(now), r.rules().horizon, id
	return t, nil
}
