package keyrack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// ChangeKind names a kind of change that a handler can subscribe to.
type ChangeKind string

const (
	// ChangeStatus: the verdict's status on the current token changed, by evidence or by
	// time alone.
	ChangeStatus ChangeKind = "status"
	// ChangeState: the integration's state changed.
	ChangeState ChangeKind = "state"
	// ChangeToken: the integration has another current token, or none anymore; or the
	// grace of a former one ended, which Evidence.Token names then.
	ChangeToken ChangeKind = "token"
	// ChangeAlarm: the evidence contradicts what is known.
	ChangeAlarm ChangeKind = "alarm"
	// ChangeSucceeded: the hotel came back, and the integration took the place of another one
	// (Evidence.Succeeds), which was deleted or canceled.
	ChangeSucceeded ChangeKind = "succeeded"
	// ChangeAny: every entry of the journal.
	ChangeAny ChangeKind = "any"
)

// Has reports whether the change is of a kind.
func (c Change) Has(kind ChangeKind) bool {
	switch kind {
	case ChangeStatus:
		return c.Was != c.Is
	case ChangeState:
		return c.Decision.From != c.Decision.To
	case ChangeToken:
		return c.NewToken || c.Evidence.Kind == lifecycle.KindTime && c.Evidence.Token != (lifecycle.Digest{})
	case ChangeAlarm:
		return c.Decision.Alarm
	case ChangeSucceeded:
		return c.Evidence.Kind == lifecycle.KindSucceeded && c.Decision.Outcome == lifecycle.Applied
	}
	return kind == ChangeAny
}

// SubscribeOptions are the choices of a subscription. The zero value is a good one.
type SubscribeOptions struct {
	// Name is the subscription's name, for SubscribeTx. Subscribe is given it.
	Name string
	// Kinds are the kinds of change that the handler hears of. Empty means ChangeStatus
	// alone.
	Kinds []ChangeKind
	// FromStart makes a new name begin with the oldest entry that the journal has left,
	// instead of with what comes next.
	FromStart bool
	// Attempts is how often the handler is tried with an entry before it becomes a
	// dead letter. 0 means 20, over about an hour.
	Attempts int
	// Timeout bounds one call of the handler, from 1 ms to a day. 0 means 30 s.
	Timeout time.Duration
}

const (
	defaultAttempts       = 20 // over about an hour
	defaultHandlerTimeout = 30 * time.Second
)

// check returns ErrInvalid for values that make no sense.
func (s *SubscribeOptions) check() error {
	for _, kind := range s.Kinds {
		switch kind {
		case ChangeStatus, ChangeState, ChangeToken, ChangeAlarm, ChangeSucceeded, ChangeAny:
		default:
			return fmt.Errorf("%w: SubscribeOptions.Kinds has %q; the kinds are %s, %s, %s, %s, %s and %s",
				ErrInvalid, kind, ChangeStatus, ChangeState, ChangeToken, ChangeAlarm, ChangeSucceeded, ChangeAny)
		}
	}
	if s.Attempts < 0 {
		return fmt.Errorf("%w: SubscribeOptions.Attempts is %d; it must be above 0, or 0 for the default", ErrInvalid, s.Attempts)
	}
	return duration{"SubscribeOptions.Timeout", s.Timeout, time.Millisecond, day}.check()
}

func (s *SubscribeOptions) wants(e Change) bool {
	if len(s.Kinds) == 0 {
		return e.Has(ChangeStatus)
	}
	return slices.ContainsFunc(s.Kinds, e.Has)
}

// Subscribe calls handle with every change of the wanted kinds, until the Rack is
// closed: at least once, in order for each integration, one call at a time. The changes
// are read from the journal. The store keeps how far the name has got, so a crash loses
// nothing. Of all instances that subscribe under the name one works; another takes over
// when it dies. A change that is handled again, after a crash or a failure, has the same
// ID.
//
// If the handler returns an error or panics, it is tried again later, with back-off.
// Until then later changes of the same integration wait, and those of others do not.
// After Attempts the change becomes a dead letter, and what waited behind it goes on. A
// handler must return when its context ends, because another instance may begin then.
// Operators pause, resume and rewind subscriptions, and see to dead letters, with
// [github.com/keyrack-dev/keyrack/atrest].
//
// Time alone can change a verdict: evidence grows too old (Policy.MaxAge), or another time
// that a policy sets ends. One of the instances journals that, as evidence of
// [lifecycle.KindTime], within a second where few such times fall together and at most 50
// of them a second.
//
// A new name begins with what is committed after Subscribe was called. The error is
// ErrInvalid for a name that is empty, blank, not UTF-8 or has control characters, for one
// that this Rack subscribed under already, or for options that make no sense; or ErrClosed.
func (r *Rack) Subscribe(name string, handle func(context.Context, Change) error, options *SubscribeOptions) error {
	var o SubscribeOptions
	if options != nil {
		o = *options
	}
	if o.Name != "" && o.Name != name {
		return fmt.Errorf("%w: the subscription has two names, %q and SubscribeOptions.Name %q; leave the latter empty", ErrInvalid, name, o.Name)
	}
	o.Name = name
	if handle == nil {
		return r.subscribe(o, false, nil)
	}
	return r.subscribe(o, false, func(ctx context.Context, e Change, _ store.Progress) error { return handle(ctx, e) })
}

// SubscribeTx is Subscribe with a handler whose effects lie in the store's own database: it
// is called within a transaction, in which the effect and the progress of the subscription
// commit together. So an effect is neither lost nor there twice, whatever dies when. With
// pgstore, tx is a pgx.Tx of the store's pool:
//
//	err := keyrack.SubscribeTx(rack, keyrack.SubscribeOptions{Name: "billing"}, s,
//		func(ctx context.Context, tx pgx.Tx, c keyrack.Change) error {
//			_, err := tx.Exec(ctx, "update hotel set active = $2 where id = $1", c.Integration, c.Is == lifecycle.Valid)
//			return err
//		})
//
// The handler writes through tx alone, and neither commits it nor keeps it. If it returns an
// error or panics, or the database refuses what it wrote, the transaction is rolled back and
// the change is tried again, as with Subscribe. Where the changes of more than 256
// integrations fail, those of others wait. Timeout bounds the transaction. A person who
// rewinds the subscription, or retries its dead letters, has the handler called again with
// changes that it had.
//
// transactor is the store that the Rack was opened on, or another one on the same database and
// schema; the error is ErrInvalid for a store that is another one, and those of Subscribe.
func SubscribeTx[Tx any](r *Rack, options SubscribeOptions, transactor store.Transactor[Tx], handle func(ctx context.Context, tx Tx, c Change) error) error {
	if transactor == nil || absent(transactor) {
		return fmt.Errorf("%w: SubscribeTx has no transactor; give it the store, such as a *pgstore.Store", ErrInvalid)
	}
	if one, ok := transactor.(interface {
		Incarnation(context.Context) (string, error)
	}); ok && r.isAnother(one.Incarnation) {
		return fmt.Errorf("%w: the transactor of SubscribeTx is not the store that the Rack was opened on", ErrInvalid)
	}
	if handle == nil {
		return r.subscribe(options, true, nil)
	}
	return r.subscribe(options, true, func(ctx context.Context, e Change, p store.Progress) error {
		var own, err error // the handler's; the store's
		panicked := guard.Panicked(func() {
			err = transactor.Transact(ctx, p, func(ctx context.Context, tx Tx) error {
				own = contained(func() error { return handle(ctx, tx, e) })
				return own
			})
		})
		switch {
		case own != nil:
			return own
		case panicked != nil:
			err = fmt.Errorf("keyrack: panic of a %T in the store", panicked)
		case err == nil || errors.Is(err, store.ErrRolledBack):
			return err
		}
		return &subscription.Interrupted{Cause: guard.Foreign("store", err)}
	})
}

// isAnother reports whether a store of that incarnation is another than the Rack's.
func (r *Rack) isAnother(incarnation func(context.Context) (string, error)) bool {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.storeTimeout())
	defer cancel()
	its, err := incarnation(ctx)
	if err != nil {
		return false // it will be fenced
	}
	ours, err := r.store.Incarnation(ctx)
	return err == nil && its != ours
}

// contained makes an error of a handler's panic.
func contained(handle func() error) (err error) {
	if v := guard.Panicked(func() { err = handle() }); v != nil {
		err = fmt.Errorf("keyrack: panic of a %T in the handler", v)
	}
	return err
}

// handler handles a change. Where it is called for an exact subscription, it commits the
// progress with its effects.
type handler func(context.Context, Change, store.Progress) error

// subscribe starts a subscription. handle is nil where the caller has none.
func (r *Rack) subscribe(o SubscribeOptions, exact bool, handle handler) error {
	name := o.Name
	if !utf8.ValidString(name) || strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: the subscription's name is %q; give it one of letters, such as billing, without control characters", ErrInvalid, name)
	}
	if handle == nil {
		return fmt.Errorf("%w: the subscription %q has no handler; give the function that is called with each change", ErrInvalid, name)
	}
	if err := o.check(); err != nil {
		return err
	}
	if o.Attempts == 0 {
		o.Attempts = defaultAttempts
	}
	if o.Timeout == 0 {
		o.Timeout = defaultHandlerTimeout
	}
	s := &subscription.Subscriber[Change]{
		Name: name, Store: followed{r.store, r}, TTL: r.options.takeover(),
		Attempts: o.Attempts, Parse: changeOf, Wants: o.wants, News: r.news.Wait, Fork: r.fork, Log: r.log,
		Handle: func(ctx context.Context, e Change, attempt int) error {
			return r.handle(ctx, &o, handle, e, attempt, store.Progress{})
		},
	}
	if exact {
		s.Within = func(ctx context.Context, e Change, attempt int, p store.Progress) error {
			return r.handle(ctx, &o, handle, e, attempt, p)
		}
	}
	if !o.FromStart {
		s.Begin = r.end()
	}
	return r.start(name, s.Run)
}

// end returns where the journal ends, or how far the view has followed it if the store
// does not answer.
func (r *Rack) end() store.Position {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.storeTimeout())
	defer cancel()
	if end, err := r.JournalEnd(ctx); err == nil {
		return end
	}
	return r.SyncStatus().Position
}

// handle calls a subscription's handler, and makes an error of a panic.
func (r *Rack) handle(ctx context.Context, o *SubscribeOptions, handle handler, e Change, attempt int, p store.Progress) (err error) {
	outer := ctx
	ctx, began := r.tell.begin(ctx, WorkSubscription, o.Name)
	defer func() {
		h := Handled{Subscription: o.Name, Integration: e.Integration, Entry: e.ID, Attempt: attempt, Age: r.clock.Now().Sub(e.At)}
		_, interrupted := errors.AsType[*subscription.Interrupted](err)
		switch {
		case interrupted || err != nil && outer.Err() != nil:
			h.Failure = "interrupted"
		case err != nil:
			h.Failure, h.Dead = fmt.Sprintf("%T", err), attempt >= o.Attempts
		}
		r.tell.handled(began, h)
	}()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	return contained(func() error { return handle(ctx, e, p) })
}

// control journals what a person wants of a subscription, and does it.
func (r *Rack) control(ctx context.Context, a *Act, t *taking) (receipt Receipt, err error) {
	var letters []subscription.DeadLetter
	if a.Do == "retry" || a.Do == "discard" {
		if letters, err = subscription.DeadLetters(ctx, r.store, a.Subscription); err != nil {
			return Receipt{}, fmt.Errorf("keyrack: reading dead letters: %w", err)
		}
		letters = slices.DeleteFunc(letters, func(l subscription.DeadLetter) bool {
			return a.Letter != 0 && l.Position != a.Letter && (a.Do == "discard" || l.Position < a.Letter)
		})
		if len(letters) == 0 {
			return Receipt{}, subscription.ErrNoLetters
		}
	}
	if receipt, err = r.take(ctx, t); err != nil || t.repeated {
		return receipt, err
	}
	switch a.Do {
	case "pause":
		err = subscription.Pause(ctx, r.store, a.Subscription)
	case "resume":
		err = subscription.Resume(ctx, r.store, a.Subscription)
	case "discard":
		err = subscription.DiscardDeadLetters(ctx, r.store, a.Subscription, letters...)
	case "retry":
		_, _, err = subscription.RetryDeadLetters(ctx, r.store, a.Subscription, a.Letter)
	}
	if err != nil {
		return receipt, fmt.Errorf("keyrack: journalled, but not done: %w", err)
	}
	return receipt, nil
}
