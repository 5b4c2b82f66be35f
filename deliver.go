package keyrack

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/deadline"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Deliver takes in the body of a webhook. When it returns nil, the delivery is durably in
// the journal and Check knows of it. The receipt says what became of it. Duplicates,
// conflicts, unknown actions and valid JSON of an unexpected shape are not errors, because
// sending them again would not help.
//
// A General Webhook is not journalled, unless it carries a token. A delivery that cannot be
// understood raises AlarmNotUnderstood; if it is about an integration, Mews is asked.
//
// The error is an *events.Error that wraps events.ErrSyntax if the body is not strict JSON:
// then nothing was stored, nor with ErrFull. Any other error is the store's or the context's: then it is not
// known whether the delivery was stored, and it should be sent again. Deliver does not
// retain the body.
func (r *Rack) Deliver(ctx context.Context, body []byte) (Receipt, error) {
	if r.closed.Load() {
		return Receipt{}, ErrClosed
	}
	now := r.clock.Now()
	event, err := events.Decode(body)
	if errors.Is(err, events.ErrSyntax) {
		return Receipt{}, err
	}
	fault, misshapen := errors.AsType[*events.Error](err)
	if misshapen {
		event = fault.Partial()
	}
	if event.General != nil {
		r.signOfLife(event.General.IntegrationID)
		if event.AccessToken.IsZero() {
			return Receipt{General: event.General}, nil
		}
	}
	t := taking{id: store.NewEntryID(now), token: event.Token()}
	if t.body, err = r.sealBody(body, t.id); err != nil {
		return Receipt{}, err
	}
	t.evidence = event.Evidence(now, r.rules().horizon, r.digest)
	receipt, err := r.take(ctx, &t)
	if err != nil {
		return receipt, err
	}
	receipt.Action, receipt.General = event.Name, event.General
	if misshapen || event.General != nil {
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmNotUnderstood, Integration: receipt.Integration, Action: event.Name})
	} else {
		r.meet(ctx, event.Action, &receipt)
	}
	return receipt, nil
}

// meet notes the action of a delivery: that it was seen, or that nobody knows it.
func (r *Rack) meet(ctx context.Context, a lifecycle.Action, receipt *Receipt) {
	if a != lifecycle.ActionUnknown {
		r.seen.Note(a)
	} else if r.seen.First(receipt.Action) {
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmUnknownAction, Integration: receipt.Integration, Action: receipt.Action})
	}
}

func (r *Rack) digest(t lifecycle.Token) lifecycle.Digest { return r.digester.Sum(t.Reveal()) }

// taking is a piece of evidence on its way into the journal.
type taking struct {
	id        store.EntryID
	evidence  lifecycle.Evidence
	token     lifecycle.Token // in clear, if the evidence brings one
	body      []byte          // sealed
	began     time.Time       // of a report that settles: its request, by the monotonic clock
	left      Record          // what is left of it, under the id of ours
	nameless  *Record         // the nameless integration that it gives a name to
	yields    bool            // an owner of the token is an error, and not journalled
	fence     *uint64         // the version that the record must have; nil for any
	conflicts int             // other instances' commits that came first
	repeated  bool            // an entry of no integration was in the journal already
}

const (
	// attempts bounds how often what is done when the Rack is opened is tried anew because
	// another instance was faster.
	attempts = 16
	// crowded is how often evidence is decided anew without a pause.
	crowded = 4
)

// yield pauses for a random time before evidence is decided anew, so that of many instances
// each gets its turn. That goes on until the time for the evidence is up.
func yield(ctx context.Context, tries int) error {
	if tries <= crowded {
		return nil
	}
	pause, cancel := context.WithTimeout(ctx, rand.N(time.Millisecond<<min(tries-crowded, 5)))
	defer cancel()
	<-pause.Done()
	return ctx.Err()
}

// take decides what a piece of evidence does to its integration, and commits
// it. On a conflict it decides again on what the store has by then.
func (r *Rack) take(ctx context.Context, t *taking) (receipt Receipt, err error) {
	ctx, began := r.tell.begin(ctx, WorkEvidence, t.evidence.Kind.String())
	defer func() {
		r.tell.taken(began, Taken{Kind: t.evidence.Kind, Receipt: receipt, Conflicts: t.conflicts, Err: err})
	}()
	if r.closed.Load() {
		return Receipt{}, ErrClosed
	}
	timed := deadline.After(ctx, r.options.storeTimeout())
	defer timed.Stop()
	ctx = timed
	shortenNames(&t.evidence)
	if t.nameless != nil && t.token.IsZero() {
		if t.token, err = r.tokenBy(ctx, t.nameless.ID, t.evidence.Token); err != nil && !errors.Is(err, store.ErrNotFound) {
			return Receipt{}, err
		}
	}
	if t.evidence.Integration.ID == "" {
		return r.takeNameless(ctx, t)
	}
	if err := r.admits(ctx, &t.evidence); err != nil {
		return Receipt{}, err
	}
	receipt, err = r.decideAnew(ctx, t)
	if err == nil && receipt.Decision.Alarm {
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmEvidence, Integration: receipt.Integration, Cause: receipt.Decision.Cause})
	}
	if err == nil && t.evidence.Owner != "" && t.evidence.Kind != lifecycle.KindContest {
		r.contest(ctx, t)
	}
	return receipt, err
}

func (r *Rack) decide(ctx context.Context, t *taking) (Receipt, error) {
	id := t.evidence.Integration.ID
	lock, err := r.lock(ctx, id)
	if err != nil {
		return Receipt{}, err
	}
	defer lock.Unlock()
	base := r.base(id)
	for tries := 0; ; tries++ {
		if err != nil {
			return Receipt{}, err
		}
		if err := yield(ctx, tries); err != nil {
			return Receipt{}, fmt.Errorf("keyrack: gave up after repeated conflicts with other instances: %w", err)
		}
		if t.fence != nil && *t.fence != base.Version {
			if tries > 0 || *t.fence < base.Version {
				return Receipt{}, fmt.Errorf("keyrack: something happened to the integration meanwhile: %w", store.ErrConflict)
			}
			base, err = r.again(ctx, t.evidence.Kind, base) // another instance knows more
			continue
		}
		if e, outdated := base.Upgrade(lifecycle.At(r.clock.Now())); outdated || misspells(&base.Record) {
			if base, err = r.upgrade(ctx, base, e); errors.Is(err, store.ErrConflict) {
				t.conflicts++
				base, err = r.again(ctx, t.evidence.Kind, base)
			} else if t.fence != nil {
				*t.fence = base.Version
			}
			continue
		}
		if t.evidence.Kind == lifecycle.KindTime {
			if t.evidence, _ = base.Untold(&r.rules().policy, r.clock.Instant()); t.evidence.Kind == 0 {
				return Receipt{}, nil // other evidence came first
			}
		}
		if t.evidence.Kind == lifecycle.KindSucceeded && (base.Succeeds != "" || view.Over(&base.Record)) || !t.began.IsZero() && r.view.Overtaken(id, t.began) {
			return Receipt{}, nil // likewise
		}
		next, decision := base.Apply(t.evidence)
		if t.nameless != nil && !holds(&next, t.evidence.Token) {
			t.stay() // it is another's
			continue
		}
		var commit store.Commit
		var receipt Receipt
		if commit, receipt, err = r.commitOf(t, base, next, decision); err != nil {
			return Receipt{}, err
		}
		var stored store.Committed
		stored, err = r.commit(ctx, commit)
		var owned *store.OwnedError
		switch {
		case err == nil && stored.Repeated && stored.Version != next.Version:
			return receipt, r.reload(ctx, id)
		case err == nil:
			r.publish(version{next, t.id, base.foreign})
			if t.left.ID != "" {
				r.publish(version{Record: t.left, foreign: base.foreign})
			}
			r.shredSpent(ctx, &base.Record, &next)
			return receipt, nil
		case errors.Is(err, store.ErrConflict):
			t.conflicts++
			if err = r.nameAgain(ctx, t); err == nil {
				base, err = r.again(ctx, t.evidence.Kind, base)
			}
			if err == nil && !t.began.IsZero() {
				r.publish(base) // which tells whether the call was overtaken
			}
		case errors.As(err, &owned):
			err = r.owned(ctx, t, owned)
		}
	}
}

// upgrade journals that a record folded by earlier rules goes on under the current ones.
// The integration's lock is held.
func (r *Rack) upgrade(ctx context.Context, base version, e lifecycle.Evidence) (version, error) {
	t := taking{id: store.NewEntryID(e.At.Time()), evidence: e}
	next, decision := base.Apply(t.evidence)
	c, _, err := r.commitOf(&t, base, next, decision)
	if err == nil {
		_, err = r.commit(ctx, c)
	}
	if err != nil {
		return base, err
	}
	upgraded := version{next, t.id, base.foreign}
	r.publish(upgraded)
	return upgraded, nil
}

// base returns the record to decide on: the view's, if it has one.
func (r *Rack) base(id string) version {
	if slot := r.view.Slot(id); slot != nil {
		record, made := slot.Version()
		if record.ID == id {
			return version{*record, made, false}
		}
	}
	return version{Record: Record{ID: id}}
}

// commitOf puts together what is committed, and the receipt for it.
func (r *Rack) commitOf(t *taking, base version, next Record, d lifecycle.Decision) (store.Commit, Receipt, error) {
	policy := &r.rules().policy
	was, is := base.Told(policy, t.evidence.At), r.verdict(&next, t.evidence.At)
	if next.Told(policy, t.evidence.At) != is.Status { // what time did has an entry of its own
		was = r.verdict(&base.Record, t.evidence.At).Status
	}
	buffer := make([]byte, 0, 1536) // a size of the allocator's; enough for most
	evidence := lifecycle.AppendEvidence(buffer, t.evidence)
	decision := entry.Judgement{
		Decision: d, Was: was, Is: is.Status, Reason: is.Reason, NewToken: currentOf(&base.Record) != currentOf(&next), Labels: next.Labels,
	}.Append(evidence[len(evidence):])
	record := lifecycle.AppendRecord(decision[len(decision):], next)
	c := store.Commit{
		Entry: store.Entry{
			ID: t.id, Integration: next.ID, Version: next.Version, At: t.evidence.At,
			Evidence: slices.Clip(evidence), Decision: slices.Clip(decision),
		},
		Body:   t.body,
		Expect: base.Version,
		After:  base.made,
		Record: slices.Clip(record),

		EraseBodies: t.evidence.Kind == lifecycle.KindErase,
		Forget:      t.evidence.Kind == lifecycle.KindForget,
	}
	for i := range next.Keys {
		k := &next.Keys[i]
		came := k.Digest == t.evidence.Token && !t.token.IsZero()
		inUse := k.Status == lifecycle.Current || k.Status == lifecycle.Candidate
		// One that is known may have been erased since, or was never kept.
		if holds(&base.Record, k.Digest) && !(came && inUse) {
			continue
		}
		claim := store.Claim{Digest: k.Digest}
		if came {
			sealed, err := binding.Seal(r.sealer, store.Ref{Integration: next.ID, Digest: k.Digest}, []byte(t.token.Reveal()))
			if err != nil {
				return c, Receipt{}, fmt.Errorf("keyrack: sealing: %w", err)
			}
			claim.Sealed = sealed
		}
		c.Claim = append(c.Claim, claim)
	}
	for i := range base.Keys {
		if k := base.Keys[i].Digest; !holds(&next, k) {
			c.Disown = append(c.Disown, k)
		}
	}
	if t.nameless != nil {
		c.With = r.leaving(t, next.ID)
	}
	return c, Receipt{ID: t.id, Integration: next.ID, Decision: d, Verdict: is}, nil
}

// takeNameless journals a delivery that belongs to no integration that it names, and what was
// done to a subscription.
func (r *Rack) takeNameless(ctx context.Context, t *taking) (Receipt, error) {
	d := lifecycle.Decision{Outcome: lifecycle.Unrecognized}
	if t.evidence.Kind == lifecycle.KindControl {
		d.Outcome = lifecycle.Applied
	}
	stored, err := r.commit(ctx, store.Commit{
		Entry: store.Entry{
			ID: t.id, At: t.evidence.At,
			Evidence: lifecycle.AppendEvidence(nil, t.evidence),
			Decision: entry.Judgement{Decision: d}.Append(nil),
		},
		Body: t.body,
	})
	if err != nil {
		return Receipt{}, err
	}
	t.repeated = stored.Repeated
	r.news.Notify()
	return Receipt{ID: t.id, Decision: d}, nil
}
