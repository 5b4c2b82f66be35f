package keyrack

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/internal/due"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/internal/view"
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
	if !utf8.ValidString(name) || strings.TrimSpace(name) == "" || strings.ContainsFunc(name, unicode.IsControl) {
		return fmt.Errorf("%w: the subscription's name is %q; give it one of letters, such as billing, without control characters", ErrInvalid, name)
	}
	if handle == nil {
		return fmt.Errorf("%w: the subscription %q has no handler; give the function that is called with each change", ErrInvalid, name)
	}
	var o SubscribeOptions
	if options != nil {
		o = *options
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
			return r.handle(ctx, name, &o, handle, e, attempt)
		},
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
func (r *Rack) handle(ctx context.Context, name string, o *SubscribeOptions, handle func(context.Context, Change) error, e Change, attempt int) (err error) {
	outer := ctx
	ctx, began := r.tell.begin(ctx, WorkSubscription, name)
	defer func() {
		h := Handled{Subscription: name, Integration: e.Integration, Entry: e.ID, Attempt: attempt, Age: r.clock.Now().Sub(e.At)}
		switch {
		case err != nil && outer.Err() != nil:
			h.Failure = "interrupted"
		case err != nil:
			h.Failure, h.Dead = fmt.Sprintf("%T", err), attempt >= o.Attempts
		}
		r.tell.handled(began, h)
	}()
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	if v := guard.Panicked(func() { err = handle(ctx, e) }); v != nil {
		err = fmt.Errorf("keyrack: panic of a %T in the handler", v)
	}
	return err
}

// SubscriptionLags returns how far this Rack's subscriptions are behind the newest entry
// of the journal, in positions, by name. It does not matter which instance works for
// them now. It asks the store once for each.
func (r *Rack) SubscriptionLags(ctx context.Context) (map[string]uint64, error) {
	r.mu.Lock()
	names := slices.Collect(maps.Keys(r.running))
	r.mu.Unlock()
	if len(names) == 0 {
		return nil, nil
	}
	latest, err := r.JournalEnd(ctx)
	if err != nil {
		return nil, err
	}
	lags := make(map[string]uint64, len(names))
	for _, name := range names {
		at, err := r.store.Cursor(ctx, subscription.LeaseName(name))
		if err != nil {
			return nil, err
		}
		lags[name] = uint64(latest - min(at, latest))
	}
	return lags, nil
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

// newBook returns what has one instance tell, by entries of the journal, what time alone does
// and that an integration takes the place of another one.
func newBook(r *Rack) *due.Book {
	return due.New(due.Options{
		Now: r.clock.Now, Leases: r.store, Takeover: r.options.takeover(), Patience: r.options.storeTimeout(),
		IDs: func(yield func(string) bool) {
			r.view.All(func(record *Record) bool { return yield(record.ID) })
		},
		Look: func(id string) (bool, lifecycle.Instant) {
			record := r.view.Record(id)
			if record == nil {
				return false, 0
			}
			e, next := record.Untold(&r.rules().policy, r.clock.Instant())
			_, succeeds := r.place(record)
			return e.Kind != 0 || succeeds, next
		},
		Tell: func(ctx context.Context, id string) error {
			return errors.Join(r.tellTime(ctx, id), r.tellPlace(ctx, id))
		},
	})
}

// tellTime journals what time alone has made of an integration, if it has.
func (r *Rack) tellTime(ctx context.Context, id string) error {
	now := r.clock.Now()
	_, err := r.take(ctx, &taking{id: store.NewEntryID(now), evidence: lifecycle.Evidence{
		Kind: lifecycle.KindTime, At: lifecycle.At(now), Integration: lifecycle.Named{ID: id},
	}})
	return err
}

// tellPlace journals that an integration took the place of another one, or that another one
// took its place, if so.
func (r *Rack) tellPlace(ctx context.Context, id string) error {
	record := r.view.Record(id)
	if record == nil {
		return nil
	}
	pair, ok := r.place(record)
	if !ok {
		return nil
	}
	e := lifecycle.Evidence{Kind: lifecycle.KindSucceeded, Succeeds: pair.Was.ID}
	if r.options.PassLabels {
		e.Labels = pair.Was.Labels
	}
	_, err := r.takeAbout(ctx, pair.Is.ID, e)
	return err
}

// place returns the succession that an integration has a part in and that is not journalled
// yet, and whether there is one.
func (r *Rack) place(record *Record) (view.Succession, bool) {
	return r.view.Succession(record, r.rules().horizon, isOrphan)
}
