package keyrack

import (
	"context"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// IssueToken returns the current token of an integration, as Token does, for
// somebody outside of the process, and journals who got it. by names the caller,
// such as an API key; it is journalled, so it must not be a person's name. A token is issued only if its verdict is Active; otherwise the error is a
// *NotActiveError. Other errors are those of Token and Deliver, and then no token is
// issued.
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

// Probe has Mews asked anew about an integration, by whichever instance does the
// asking, as soon as its turn comes. Until then the verdict stays as it is. The
// error is ErrInvalid without a prober, ErrNotFound, or the store's.
func (r *Rack) Probe(ctx context.Context, integration, by string) (Receipt, error) {
	if r.options.Prober == nil {
		return Receipt{}, fmt.Errorf("%w: there is no prober to ask", ErrInvalid)
	}
	return r.byHand(ctx, lifecycle.KindProbeRequest, integration, by, lifecycle.Digest{})
}

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

// ForgetEnterprise forgets all integrations of an enterprise, and returns how
// many they were. It stops at the first error.
func (r *Rack) ForgetEnterprise(ctx context.Context, enterprise string) (int, error) {
	records := r.Enterprise(enterprise)
	for i, record := range records {
		if _, err := r.Forget(ctx, record.ID); err != nil {
			return i, err
		}
	}
	return len(records), nil
}

// byHand journals something that a person, or a program for one, wants done.
func (r *Rack) byHand(ctx context.Context, kind lifecycle.Kind, integration, by string, token lifecycle.Digest) (Receipt, error) {
	integration = lifecycle.CanonicalID(integration)
	if r.view.Record(integration) == nil {
		return Receipt{}, ErrNotFound
	}
	evidence := lifecycle.Evidence{Kind: kind, Token: token, By: by}
	if kind == lifecycle.KindErase || kind == lifecycle.KindForget {
		// What came under another spelling of the id first, so that an error leaves something
		// to be called again for.
		for _, spelling := range r.spelled.Of(integration) {
			if receipt, err := r.takeAbout(ctx, spelling, evidence); err != nil {
				return receipt, err
			}
		}
	}
	return r.takeAbout(ctx, integration, evidence)
}

// takeAbout takes in evidence about an integration that arrives now.
func (r *Rack) takeAbout(ctx context.Context, integration string, e lifecycle.Evidence) (Receipt, error) {
	now := r.clock.Now()
	e.At, e.Horizon, e.Integration.ID = lifecycle.At(now), r.options.horizon(), integration
	return r.take(ctx, &taking{id: store.NewEntryID(now), evidence: e})
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
	// Who says so, and Why. Both are required. They may name persons, so they are kept
	// sealed beside the journal, as the bodies of deliveries are, and Body shows them to
	// those who may see persons. As a Token, neither is
	// printed by accident.
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
	integration = typed.ID(integration)
	if err := s.check(); err != nil {
		return Receipt{}, err
	}
	if r.view.Record(integration) == nil {
		return Receipt{}, ErrNotFound
	}
	body, err := json.Marshal(map[string]any{"Requestor": map[string]string{"Name": s.Who.Reveal(), "Reason": s.Why.Reveal()}})
	if err != nil {
		return Receipt{}, fmt.Errorf("%w: Settlement.Who and Why must be UTF-8", ErrInvalid)
	}
	now := r.clock.Now()
	t := taking{id: store.NewEntryID(now), evidence: lifecycle.Evidence{
		Kind: lifecycle.KindSettle, At: lifecycle.At(now), Horizon: r.options.horizon(),
		Integration: lifecycle.Named{ID: integration}, Enterprise: lifecycle.Named{ID: typed.ID(s.Enterprise)},
		AnsweredBy: typed.ID(s.AnsweredBy), Token: s.Current, IsEnabled: s.Enabled, IsCanceled: s.Canceled, By: s.By,
	}}
	if t.body, err = r.sealer.Seal(body, t.id.String()); err != nil {
		return Receipt{}, fmt.Errorf("keyrack: sealing: %w", err)
	}
	return r.take(ctx, &t)
}

// wordLimit is how much a person may say, in bytes: as much as Body shows of it.
const wordLimit = 256

// check returns ErrInvalid for what says nothing, or does not say who and why.
func (s *Settlement) check() error {
	who, why := s.Who.Reveal(), s.Why.Reveal()
	switch {
	case strings.TrimSpace(who) == "" || strings.TrimSpace(why) == "":
		return fmt.Errorf("%w: a Settlement needs Who and Why", ErrInvalid)
	case len(who) > wordLimit || len(why) > wordLimit:
		return fmt.Errorf("%w: Settlement.Who and Why are at most 256 bytes each", ErrInvalid)
	case s.Enabled > lifecycle.Yes || s.Canceled > lifecycle.Yes:
		return fmt.Errorf("%w: Settlement names a flag that there is not", ErrInvalid)
	case s.Enabled == lifecycle.Unset && s.Canceled == lifecycle.Unset && s.Current == lifecycle.Digest{} && s.AnsweredBy == "":
		return fmt.Errorf("%w: a Settlement says nothing: set Enabled, Canceled, Current or AnsweredBy", ErrInvalid)
	}
	for _, id := range []string{s.Enterprise, s.AnsweredBy} {
		if err := checkID(typed.ID(id)); err != nil {
			return err
		}
	}
	return nil
}
