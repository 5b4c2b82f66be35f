package keyrack

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

var (
	// ErrRejected: Mews refuses the token, and takes another hotel's at the same time.
	ErrRejected = errors.New("keyrack: Mews refuses this token and takes another hotel's: ask for the token that Mews shows now")
	// ErrUnattributed: Mews answered 401, and no token is known that works. Either the token
	// is wrong, or the ClientToken is, or that of the other platform.
	ErrUnattributed = errors.New("keyrack: Mews answered 401: the token is wrong, or the ClientToken is; no other hotel's token works, which would tell which")
	// ErrUnanswered: Mews did not answer, or not in time.
	ErrUnanswered = errors.New("keyrack: Mews did not answer about the token: try again, or set Connection.KeepUnproved")
)

// Connection is what a person brings who connects a hotel: the token that Mews shows, and
// what the application knows about it.
type Connection struct {
	// Token is required. White space and quotes around it are taken off.
	Token Token
	// Labels are added to those of the integration, up to 16 in all.
	Labels map[string]string
	// Enterprise and Service may be left out. Where Mews names another enterprise, that is
	// ErrInvalid and nothing is kept.
	Enterprise, Service lifecycle.Named
	// KeepUnproved keeps the token, with an Unknown verdict (unproved), although Mews does not
	// answer. It is asked again until it does.
	KeepUnproved bool
	// By names the program or the API key through which it was said, and no person.
	By string
}

// Connected is what is known of a token that somebody brought.
type Connected struct {
	// Integration is the one that the token belongs to. Nameless says that its id is one of
	// ours: webhooks name it later, and then the id of ours still leads to it.
	Integration string
	Nameless    bool
	Enterprise  lifecycle.Named
	Service     lifecycle.Named
	Verdict     Verdict // on this token
}

// Connect takes in a token that somebody pasted, of an integration whose id nobody knows:
// Mews's Connector API never tells it. Mews is asked at once, for as long as the context
// allows; without a prober the caller is taken at their word, as by Import.
//
// A token that is known already is answered for, whatever it is: Connect revives nothing.
// Otherwise it begins a nameless integration. The first IntegrationCreated,
// IntegrationApiKeyCreated or import that brings the token gives it its name; a person may
// (Act, with KindName). Then the token, the labels and the history are the named one's.
//
// The error is ErrRejected, ErrUnattributed or ErrUnanswered, and then nothing is kept of a
// token that was not known; ErrInvalid; or the store's as for Deliver.
func (r *Rack) Connect(ctx context.Context, c Connection) (Connected, error) {
	i := Import{
		Integration: lifecycle.Named{ID: join.Nameless(lifecycle.Digest{}, 0)},
		Enterprise:  c.Enterprise, Service: c.Service, Token: c.Token, Labels: c.Labels,
	}
	if err := i.read(); err != nil {
		return Connected{}, err
	}
	if r.closed.Load() {
		return Connected{}, ErrClosed
	}
	digest := r.digest(i.Token)
	for tries := 0; ; tries++ {
		owner, err := r.ownerOf(ctx, digest)
		if err != nil {
			return Connected{}, err
		}
		if owner != nil {
			return r.reconnect(ctx, owner, digest, &i, c.By)
		}
		answer, err := r.askAbout(ctx, i.Token, i.Enterprise.ID)
		if err != nil && !(errors.Is(err, ErrUnanswered) && c.KeepUnproved) {
			return Connected{}, err
		}
		if answer.Enterprise.ID != "" && !answer.Portfolio {
			i.Enterprise, i.Service = answer.Enterprise, answer.Service
		}
		connected, err := r.begin(ctx, digest, &i, answer, c.By)
		if owned, ok := errors.AsType[*store.OwnedError](err); ok && tries < attempts {
			_ = r.reload(ctx, owned.Owner) // somebody was faster, and it is theirs
			continue
		}
		return connected, err
	}
}

// ownerOf returns the record of the integration that a token belongs to, or nil.
func (r *Rack) ownerOf(ctx context.Context, d lifecycle.Digest) (*Record, error) {
	if owner := r.view.Owner(d); owner != nil {
		return owner, nil
	}
	ctx, cancel := context.WithTimeout(ctx, r.options.storeTimeout())
	defer cancel()
	id, err := r.store.Owner(ctx, d)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err == nil {
		err = r.reload(ctx, id)
	}
	if err != nil {
		return nil, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	return r.view.Owner(d), nil
}

// askAbout asks Mews about a token. The zero answer stands for that nobody is asked.
func (r *Rack) askAbout(ctx context.Context, token Token, enterprise string) (connector.Answer, error) {
	if r.schedule == nil {
		return connector.Answer{}, nil
	}
	answer, witnessed := r.schedule.Connect(ctx, token, enterprise)
	switch {
	case answer.Kind == connector.Accepted:
		if !answer.Portfolio && enterprise != "" && answer.Enterprise.ID != "" && answer.Enterprise.ID != enterprise {
			return answer, fmt.Errorf("%w: Mews names another enterprise for the token than Connection.Enterprise", ErrInvalid)
		}
		return answer, nil
	case answer.Kind == connector.Unauthorized && witnessed:
		return answer, ErrRejected
	case answer.Kind == connector.Unauthorized:
		return answer, ErrUnattributed
	case ctx.Err() != nil:
		return connector.Answer{}, fmt.Errorf("%w: %w", ErrUnanswered, ctx.Err())
	}
	return connector.Answer{}, ErrUnanswered
}

// begin journals a nameless integration, and what Mews answered about its token.
func (r *Rack) begin(ctx context.Context, d lifecycle.Digest, i *Import, answer connector.Answer, by string) (Connected, error) {
	again := 0
	for r.view.Name(join.Nameless(d, again)) != join.Nameless(d, again) {
		again++ // that id is an alias
	}
	i.Integration.ID = join.Nameless(d, again)
	e := i.evidence(d)
	now := r.clock.Now()
	e.At, e.Horizon, e.By = lifecycle.At(now), r.rules().horizon, by
	ctx, cancel := r.afterwards(ctx) // it is decided, and must not depend on the caller's patience
	defer cancel()
	receipt, err := r.take(ctx, &taking{id: store.NewEntryID(now), token: i.Token, evidence: e, yields: true})
	if err != nil {
		return Connected{}, err
	}
	if receipt.Decision.Outcome == lifecycle.Fenced { // named meanwhile
		return Connected{}, &store.OwnedError{Digest: d, Owner: i.Integration.ID}
	}
	record := r.view.Owner(d)
	if record == nil {
		return Connected{}, fmt.Errorf("keyrack: reading the store: %w", store.ErrNotFound)
	}
	r.takeAnswer(ctx, record, d, answer)
	return r.connected(d)
}

// takeAnswer journals a 200 about a token.
func (r *Rack) takeAnswer(ctx context.Context, record *Record, d lifecycle.Digest, answer connector.Answer) {
	if answer.Kind != connector.Accepted {
		return
	}
	err := asked{r}.Take(ctx, lifecycle.Evidence{
		Kind: lifecycle.KindProbe, Integration: lifecycle.Named{ID: record.ID}, Enterprise: answer.Enterprise, Service: answer.Service,
		Token: d, Answer: lifecycle.Accepted, Began: lifecycle.At(answer.Began), Generation: record.Generation, Portfolio: answer.Portfolio,
	})
	if err != nil { // it is asked again
		r.log.WarnContext(ctx, "an answer about a token that somebody brought is not stored", "error", err)
	}
}

// reconnect answers for a token that is known.
func (r *Rack) reconnect(ctx context.Context, owner *Record, d lifecycle.Digest, i *Import, by string) (Connected, error) {
	key, _ := owner.Key(d)
	if owner.State == lifecycle.Deleted || key.Status == lifecycle.Superseded || key.Status == lifecycle.Revoked {
		return r.connected(d)
	}
	if i.Enterprise.ID != "" && owner.Enterprise.ID != "" && i.Enterprise.ID != owner.Enterprise.ID {
		return Connected{}, fmt.Errorf("%w: the token belongs to another enterprise than Connection.Enterprise", ErrInvalid)
	}
	answer, err := r.askAbout(ctx, i.Token, "")
	ctx, cancel := r.afterwards(ctx)
	defer cancel()
	switch {
	case errors.Is(err, ErrRejected), errors.Is(err, ErrUnattributed):
		_, failed := r.takeAbout(ctx, owner.ID, lifecycle.Evidence{Kind: lifecycle.KindProbeRequest, By: by})
		connected, _ := r.connected(d)
		return connected, errors.Join(err, failed)
	case err == nil:
		r.takeAnswer(ctx, owner, d, answer)
	}
	if len(i.Labels) > 0 && !labelled(owner, i.Labels) {
		if _, err := r.Label(ctx, owner.ID, i.Labels, nil, by); err != nil {
			return Connected{}, err
		}
	}
	return r.connected(d)
}

// labelled reports whether an integration has all of these labels.
func labelled(record *Record, labels map[string]string) bool {
	for key, value := range labels {
		if is, ok := record.Labels.Get(key); !ok || is != value {
			return false
		}
	}
	return true
}

// connected says what is known of a token now.
func (r *Rack) connected(d lifecycle.Digest) (Connected, error) {
	record := r.view.Owner(d)
	if record == nil {
		return Connected{}, ErrNotFound // forgotten meanwhile
	}
	return Connected{
		Integration: record.ID, Nameless: join.IsNameless(record.ID), Enterprise: record.Enterprise, Service: record.Service,
		Verdict: r.verdictOn(record, d, r.clock.Instant()),
	}, nil
}
