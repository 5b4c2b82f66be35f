package keyrack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Telemetry is told what a Rack does while it does it, for metrics and traces. A
// nil function is not called, and without a Telemetry not even the time is taken.
// What can be read at any time is not told: see [Rack.Stats], [Rack.SyncStatus]
// and [Rack.SubscriptionLags].
//
// The functions are called from the work's own goroutine, several at once: they
// must be quick and safe for concurrent use. They may ask the Rack what
// it answers from memory, but not what needs the store, which would tell them of
// itself. A panic of theirs is contained, and the first one logged.
//
// Nothing that they are told holds a secret or personal data. Only what is marked as fit
// for a label may become one: there is no bound to identifiers and to names that Mews
// sends.
type Telemetry struct {
	// Begin is called before a piece of work, with its kind and what is known of it
	// by then: the kind of the evidence, the method of the store, the name of the
	// subscription, else "". It returns a context, whose values the work then sees,
	// as does what it begins in its turn: a store call within the evidence within a
	// delivery. Deadlines and cancellations stay the Rack's own. The function of the
	// same work that is called at its end gets that context.
	Begin func(ctx context.Context, work Work, name string) context.Context

	// Answered ends WorkDelivery.
	Answered func(context.Context, ServedRequest)
	// Taken ends WorkEvidence.
	Taken func(context.Context, Taken)
	// Stored ends WorkStore.
	Stored func(context.Context, StoreCall)
	// Probed ends WorkProbe.
	Probed func(context.Context, Probed)
	// Handled ends WorkSubscription.
	Handled func(context.Context, Handled)

	// Alarmed is called for every alarm. Alarms are logged, too.
	Alarmed func(context.Context, Alarm)
}

// Work is a kind of work that takes its time. It is fit for a label.
type Work string

const (
	// WorkDelivery is a request to a Handler, from its arrival to its answer.
	WorkDelivery Work = "delivery"
	// WorkEvidence is to decide what a piece of evidence does, and to commit that.
	WorkEvidence Work = "evidence"
	// WorkStore is a call of the store.
	WorkStore Work = "store"
	// WorkProbe is a probe: a request that asks Mews about a token.
	WorkProbe Work = "probe"
	// WorkSubscription is a call of a subscription's handler.
	WorkSubscription Work = "subscription"
)

// Taken is a piece of evidence that was taken in, or could not be.
type Taken struct {
	// Kind is fit for a label, as are Action, Outcome and Cause of Receipt's
	// Decision. Receipt.Action is not: Mews may call an action whatever it likes.
	Kind lifecycle.Kind
	// Receipt is zero where there is an Err.
	Receipt Receipt
	// Conflicts is how often it was decided anew because another instance had
	// committed first.
	Conflicts int
	Took      time.Duration
	Err       error // as of Deliver
}

// StoreCall is a call of the store. An iteration is one call: what its consumer did
// meanwhile is not part of Took.
type StoreCall struct {
	Method string // of store.Store, such as "Commit"; fit for a label
	Took   time.Duration
	Err    error // its text is ours, and may be logged
}

// Result names what came of the call in a word that is fit for a label: "ok",
// what the store may answer ("conflict", "owned", "not_found", "fenced",
// "trimmed"), or how it failed ("timeout", "canceled", "invalid", "error").
func (s StoreCall) Result() string {
	if s.Err == nil {
		return "ok"
	}
	for _, one := range storeResults {
		if errors.Is(s.Err, one.err) {
			return one.name
		}
	}
	return "error"
}

// Failed reports whether the store failed. What it may answer, such as
// store.ErrConflict, and a caller who did not wait, are no failures.
func (s StoreCall) Failed() bool {
	switch s.Result() {
	case "timeout", "invalid", "error":
		return true
	}
	return false
}

var storeResults = []struct {
	err  error
	name string
}{
	{store.ErrConflict, "conflict"}, {store.ErrOwned, "owned"}, {store.ErrNotFound, "not_found"},
	{store.ErrFenced, "fenced"}, {store.ErrTrimmed, "trimmed"}, {store.ErrInvalid, "invalid"},
	{context.DeadlineExceeded, "timeout"}, {context.Canceled, "canceled"},
}

// Probed is a probe, and what came of it.
type Probed struct {
	Integration string
	// Kind, Class and Status are fit for a label. Class says why there was no
	// answer, where Kind is Silent.
	Kind   connector.Kind
	Class  connector.Class
	Status int // of HTTP; 0 where there was no response
	Took   time.Duration
}

// Result names what came of the probe in a few words that are fit for a label:
// the answer's Kind, or the Class where there was none.
func (p Probed) Result() string {
	if p.Kind == connector.Silent {
		return p.Class.String()
	}
	return p.Kind.String()
}

// Handled is a call of a subscription's handler.
type Handled struct {
	Subscription string // its name; fit for a label
	Integration  string // of the change
	Entry        store.EntryID
	Attempt      int // 1 for the first
	// Failure is the type of the handler's error, and "interrupted" where the
	// Rack was closed; empty where it succeeded. It is fit for a label.
	Failure string
	// Dead: it was the last attempt, and the change becomes a dead letter.
	Dead bool
	Took time.Duration
	// Age is how old the change was afterwards, by its arrival.
	Age time.Duration
}

// ServedRequest is one request to a Handler and how it was answered.
type ServedRequest struct {
	Status  int           // of the answer
	Took    time.Duration // from the request's arrival to the answer
	Receipt Receipt       // zero where nothing was taken in
	Refusal Refusal       // why not; empty where it was
	// Secret is the name of the secret that came with the request; empty where none of the
	// accepted ones did, or none was looked for. It is fit for a label.
	Secret string
}

// AlarmKind says what an alarm is about.
type AlarmKind string

const (
	// AlarmEvidence: a piece of evidence contradicts what is known; Cause says how.
	AlarmEvidence AlarmKind = "evidence"
	// AlarmTrouble: several integrations were answered 401 within ten minutes, and none
	// 200: the ClientToken is dead, or there is trouble at Mews. Nothing is settled
	// until a 200 is seen.
	AlarmTrouble AlarmKind = "trouble"
	// AlarmTroubleOver: a 200 was seen.
	AlarmTroubleOver AlarmKind = "trouble_over"
	// AlarmNoWitness: a token that should work is answered 401, and for five minutes no
	// other token has worked that could show whether the token or the ClientToken is
	// refused.
	AlarmNoWitness AlarmKind = "no_witness"
	// AlarmNotUnderstood: a delivery lacks something that its action cannot do without, or
	// brings a token without an integration. It is in the journal, and changed nothing.
	AlarmNotUnderstood AlarmKind = "not_understood"
	// AlarmUnknownAction: a webhook with an action that this version does not know. It is
	// raised once for each name, by each process.
	AlarmUnknownAction AlarmKind = "unknown_action"
	// AlarmStore: the store no longer has what it had. If it was removed or replaced under
	// the running process, deliveries are refused until that is put right. If it went back
	// to an earlier state, everything is Unknown until it was read anew, and what more was
	// known about stays so (ReasonForked).
	AlarmStore AlarmKind = "store"
	// AlarmUnreadable: what the store holds of an integration cannot be read: its record,
	// or a sealed token that none of the sealer's keys opens. The integration's verdict is
	// Unknown, or it cannot be asked about. It is raised once, and again only after it could be read.
	AlarmUnreadable AlarmKind = "unreadable"
	// AlarmFull, every 10 minutes: deliveries about new integrations are refused with ErrFull.
	AlarmFull AlarmKind = "full"
)

// Alarm is something that a person should look at. It holds no secret.
type Alarm struct {
	Kind        AlarmKind
	Integration string // empty where it is about all
	Cause       string // of AlarmEvidence
	// Action is Mews's name of a delivery's action, of AlarmNotUnderstood and
	// AlarmUnknownAction. Unlike Kind and Cause it is not fit for a label, and not logged.
	Action string
}

// teller calls a Telemetry. A nil one calls nobody.
type teller struct {
	Telemetry
	log      *slog.Logger
	panicked atomic.Bool
}

func newTeller(t *Telemetry, log *slog.Logger) *teller {
	if t == nil {
		return nil
	}
	return &teller{Telemetry: *t, log: log}
}

// span is a piece of work under way; zero where nobody wants to know.
type span struct {
	ctx context.Context // as Begin returned it
	at  time.Time
}

func (s span) took() time.Duration { return time.Since(s.at) }

// begin begins a piece of work. What is done goes on in the context that it returns.
func (t *teller) begin(ctx context.Context, work Work, name string) (context.Context, span) {
	if t == nil {
		return ctx, span{}
	}
	began := span{ctx, time.Now()}
	if t.Begin == nil {
		return ctx, began
	}
	if given := t.callBegin(ctx, work, name); given != nil && given != ctx {
		began.ctx = given
		ctx = valued{ctx, given}
	}
	return ctx, began
}

func (t *teller) callBegin(ctx context.Context, work Work, name string) (given context.Context) {
	t.call(func() { given = t.Begin(ctx, work, name) })
	return given
}

// watch tells of the calls of a store.
func (t *teller) watch() guard.Watch {
	if t == nil {
		return nil
	}
	return func(ctx context.Context, method string) (context.Context, func(time.Duration, error)) {
		ctx, began := t.begin(ctx, WorkStore, method)
		return ctx, func(elsewhere time.Duration, err error) { t.stored(began, method, elsewhere, err) }
	}
}

// valued is a context with another's values.
type valued struct {
	context.Context
	values context.Context
}

func (v valued) Value(key any) any { return v.values.Value(key) }

// call calls a function of the Telemetry's, and contains its panic.
func (t *teller) call(do func()) {
	if v := guard.Panicked(do); v != nil && !t.panicked.Swap(true) {
		t.log.Error("panic in Telemetry; further ones are not logged", "type", fmt.Sprintf("%T", v))
	}
}

func (t *teller) answered(began span, o ServedRequest) {
	if t != nil && t.Answered != nil {
		t.call(func() { t.Answered(began.ctx, o) })
	}
}

func (t *teller) taken(began span, e Taken) {
	if t != nil && t.Taken != nil {
		e.Took = began.took()
		t.call(func() { t.Taken(began.ctx, e) })
	}
}

// stored is told how much of the time was not the store's.
func (t *teller) stored(began span, method string, elsewhere time.Duration, err error) {
	if t.Stored != nil {
		t.call(func() { t.Stored(began.ctx, StoreCall{method, began.took() - elsewhere, err}) })
	}
}

func (t *teller) probed(began span, integration string, answer connector.Answer, err error) {
	if t != nil && t.Probed != nil {
		p := Probed{Integration: integration, Kind: answer.Kind, Status: answer.Status, Took: began.took()}
		if silent, ok := errors.AsType[*connector.Error](err); ok {
			p.Class = silent.Class
		}
		t.call(func() { t.Probed(began.ctx, p) })
	}
}

func (t *teller) handled(began span, h Handled) {
	if t != nil && t.Handled != nil {
		h.Took = began.took()
		t.call(func() { t.Handled(began.ctx, h) })
	}
}

// alarmed logs an alarm, and tells of it.
func (t *teller) alarmed(ctx context.Context, log *slog.Logger, a Alarm) {
	log.WarnContext(ctx, "alarm", "kind", string(a.Kind), "integration", a.Integration, "cause", a.Cause)
	if t != nil && t.Alarmed != nil {
		t.call(func() { t.Alarmed(ctx, a) })
	}
}
