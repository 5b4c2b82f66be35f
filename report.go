package keyrack

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/internal/owncall"
	"github.com/keyrack-dev/keyrack/internal/probe"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// refresh is how old proof may become before an application's further 200 is
// worth an entry in the journal.
const refresh = time.Hour

// ReportSlack is how much earlier than it says the request of a Report is taken to have
// begun: the report itself may have been under way for that long, or have been repeated.
const ReportSlack = 30 * time.Second

// Report is the answer to a call of the application's own to Mews.
type Report struct {
	// Token is the access token that the request carried.
	Token Token
	// Status is the answer's HTTP status.
	Status int
	// Elapsed is how long ago the request began, by a clock that nobody sets. A time of
	// day would be worth nothing: the caller's clock may be wrong.
	Elapsed time.Duration
	// Operation is the path of the request, such as "reservations/getAll/2023-06-06",
	// with or without what all paths of the Connector API begin with. It tells a missing
	// permission from a token that does not work. It may be left out.
	Operation string
}

// Report takes in what the application saw on a call of its own to Mews. A 200 is proof
// that the token worked when the request began, though not whose it is. A 401 settles
// nothing, since it may be about a permission: the verdict is Unknown until a probe. An
// operation that answers 401 while the token works lacks a permission, so that for 24
// hours its 401s cost no more than a probe an hour. Every other status says nothing of the
// token and is passed over.
//
// The request is taken to have begun ReportSlack earlier than it says. If a delivery, a
// rotation or another answer has come since, the report settles nothing; where it
// contradicts the verdict, it has Mews asked. What other instances took in counts as come
// when this one read it, since their clocks may be wrong: so within ReportSlack of Open, no
// 200 settles anything about what the store held. An instance that makes its calls itself
// needs no slack: see [Transport].
//
// It may be called for every request: what tells nothing new costs a look-up and
// is not journalled (then the receipt is zero). The error is ErrNotFound for a
// token that nobody knows, ErrInvalid for a negative Elapsed or an Operation that is no
// path, and otherwise as for Deliver.
func (r *Rack) Report(ctx context.Context, o Report) (Receipt, error) {
	if o.Elapsed < 0 {
		return Receipt{}, fmt.Errorf("%w: Report.Elapsed is negative; it is how long ago the request began", ErrInvalid)
	}
	name, ok := typed.Operation(o.Operation)
	if token := o.Token.Reveal(); !ok || token != "" && strings.Contains(name, token) {
		return Receipt{}, fmt.Errorf("%w: Report.Operation is not a path of the Connector API, such as reservations/getAll", ErrInvalid)
	}
	began := r.clock.Now().Add(-min(o.Elapsed, longAgo) - ReportSlack)
	return r.report(ctx, seenAnswer{r.digest(o.Token), 0, o.Status, began, ReportSlack, name})
}

// slowToken is how long a new token that calls of the application's own were refused with does
// not give way to a former one that works: without a prober nobody would try it again.
const slowToken = 2 * time.Hour

// longAgo is an age at which an answer settles nothing any more.
const longAgo = 10 * 365 * 24 * time.Hour

func (r *Rack) report(ctx context.Context, o seenAnswer) (Receipt, error) {
	now := r.clock.Now()
	e := lifecycle.Evidence{
		Kind: lifecycle.KindReport, At: lifecycle.At(now), Horizon: r.rules().horizon,
		Token: o.digest, Began: lifecycle.At(o.began), Generation: o.generation, Operation: o.operation,
	}
	switch o.status {
	case http.StatusOK:
		e.Answer = lifecycle.Accepted
	case http.StatusUnauthorized:
		if r.trouble.Load() {
			return Receipt{}, nil // it says no more about the token than Mews's other answers do
		}
		e.Answer = lifecycle.Unattributed
	default:
		return Receipt{}, nil
	}
	record := r.view.Owner(e.Token)
	if record == nil {
		return Receipt{}, ErrNotFound
	}
	if e.Answer == lifecycle.Accepted && r.schedule != nil && e.At.Sub(e.Began) <= probe.Window {
		r.schedule.Heard(ctx, record.ID, e.Began.Time())
	}
	e.Integration.ID = record.ID
	if r.schedule == nil && o.slack == 0 {
		r.settleRefusals(ctx, record, &e, o.began)
	}
	if overtaken(record, &e) || settles(&e) && r.view.Overtaken(record.ID, o.began) {
		return r.wonder(ctx, record, &e, o.slack)
	}
	if o, _ := record.Operation(o.operation); e.Answer != lifecycle.Accepted && o.Lacks(e.At) {
		r.forbidden.Add(1)
		if r.schedule != nil {
			r.schedule.Hint(record.ID) // at most once an hour
		}
		return Receipt{}, nil
	}
	if !tells(record, &e, &r.rules().policy) {
		return Receipt{}, nil
	}
	t := taking{id: store.NewEntryID(now), evidence: e}
	if settles(&e) {
		t.began = o.began
	}
	receipt, err := r.take(ctx, &t)
	if err == nil && e.Answer != lifecycle.Accepted && r.schedule != nil {
		r.schedule.Vouch(record.ID) // the answer to its own probe will want a witness
	}
	return receipt, err
}

// tries reports whether a call is to be made although the verdict is Unknown: without a
// prober the application's own calls take the place of probes. A token that may be somebody
// else's is never sent.
func (r *Rack) tries(record *Record, v Verdict, call *outbound) bool {
	switch {
	case r.schedule != nil || v.Status != lifecycle.Unknown:
		return false
	case v.Reason == lifecycle.ReasonDisputed, v.Reason == lifecycle.ReasonDeletedAccepted, v.Reason == lifecycle.ReasonUnavailable:
		return false
	}
	key, _ := record.CurrentKey()
	news := max(record.Arrived, record.Basis.At, key.Since)
	// A doubt of the application's own says little of other operations.
	likely := v.Likely || v.Reason == lifecycle.ReasonDoubted
	call.trial = r.trials.Begin(record.ID, call.operation, likely, news.Time(), r.clock.Now())
	return call.trial
}

// settleRefusals takes in what an answer to a call that this instance timed says of 401s of
// other calls. Where nobody can be asked, that is all there is to attribute them with.
func (r *Rack) settleRefusals(ctx context.Context, record *Record, e *lifecycle.Evidence, began time.Time) {
	if e.Answer != lifecycle.Accepted {
		r.trials.Refused(owncall.Refusal{
			Integration: record.ID, Operation: e.Operation, Token: e.Token, Generation: e.Generation,
			Began: began, Answered: e.At.Time(),
		})
		return
	}
	for _, refusal := range r.trials.Heard(record.ID, e.Operation, began) {
		rejected := lifecycle.Evidence{
			Kind: lifecycle.KindReport, Answer: lifecycle.Rejected, At: e.At, Horizon: e.Horizon, Token: refusal.Token, Operation: refusal.Operation,
			Began: lifecycle.At(refusal.Began), Generation: refusal.Generation,
		}
		rejected.Integration.ID = refusal.Integration
		_, err := r.take(ctx, &taking{id: store.NewEntryID(e.At.Time()), evidence: rejected, began: refusal.Began})
		if err != nil {
			r.log.WarnContext(ctx, "a rejection that calls of the application's own told is not stored", "error", err)
		}
	}
}

// overtaken reports whether a delivery, or an answer to a later request, may have come
// after the request of an application's answer began, by this instance's clock.
func overtaken(record *Record, e *lifecycle.Evidence) bool {
	key, _ := record.Key(e.Token)
	return e.Began < key.Began || e.Generation != 0 && e.Generation != record.Generation ||
		e.Generation == 0 && e.Began <= record.Arrived
}

// settles reports whether an answer tells for certain. A 401 of one call is a doubt and no more.
func settles(e *lifecycle.Evidence) bool { return e.Answer != lifecycle.Unattributed }

// wonder has Mews asked where an answer that was overtaken contradicts the verdict. What
// may be the later all the same is worth a probe a minute, a 401 one as soon as
// probes may be sent, and what is certainly the older one an hour.
func (r *Rack) wonder(ctx context.Context, record *Record, e *lifecycle.Evidence, slack time.Duration) (Receipt, error) {
	status := record.Verdict(e.Token, &r.rules().policy, e.At).Status
	accepted := e.Answer == lifecycle.Accepted
	if r.schedule == nil || accepted == (status == lifecycle.Valid) || !accepted && status == lifecycle.Unknown {
		return Receipt{}, nil
	}
	again := time.Minute
	later := *e
	later.Began += lifecycle.Instant(slack.Microseconds())
	switch {
	case overtaken(record, &later):
		again = refresh
	case !accepted:
		again = probe.Gap
	}
	key, _ := record.Key(e.Token)
	question, ok := record.Question(e.At)
	if !ok || question.Open || e.At.Sub(key.Began) < again {
		return Receipt{}, nil // there is nothing to ask with, it is being asked, or was a moment ago
	}
	return r.takeAbout(ctx, record.ID, lifecycle.Evidence{Kind: lifecycle.KindProbeRequest, By: "report"})
}

// tells reports whether an answer of the application's says anything that the record
// does not know.
func tells(record *Record, e *lifecycle.Evidence, p *Policy) bool {
	key, _ := record.Key(e.Token)
	operation, called := record.Operation(e.Operation)
	if e.Answer == lifecycle.Accepted {
		if current, _ := record.CurrentKey(); key.Status == lifecycle.Superseded && current.Provisional && e.Began.Sub(current.Since) < slowToken {
			return false // the new one may take its time to work, and is tried again
		}
		if e.Began.Sub(key.Accepted) >= refresh || operation.Refused != 0 || operation.Forbidden != 0 && operation.Name != "" {
			return true
		}
		// What a 200 did not prove, the next does not either.
		v := record.Verdict(e.Token, p, e.At)
		proved := key.Answer == lifecycle.Accepted && key.Generation == record.Generation && key.Doubt == 0
		return v.Reason == lifecycle.ReasonLease || !proved && (v.Status != lifecycle.Valid || v.Assumed)
	}
	return key.Answer != lifecycle.Rejected && (key.Doubt == 0 || !called || operation.Refused == 0)
}
