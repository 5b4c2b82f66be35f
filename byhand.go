package keyrack

import (
	"context"
	"fmt"

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
