package keyrack

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/store"
)

// ChangeKind names a kind of change that one can subscribe to.
type ChangeKind string

const (
	// ChangeStatus: the verdict's status on the current token changed.
	ChangeStatus ChangeKind = "status"
	// ChangeState: the integration's state changed.
	ChangeState ChangeKind = "state"
	// ChangeToken: the integration has another current token, or none any more.
	ChangeToken ChangeKind = "token"
	// ChangeAlarm: the evidence contradicts what is known.
	ChangeAlarm ChangeKind = "alarm"
	// ChangeAny: every entry of the journal.
	ChangeAny ChangeKind = "any"
)

// Has tells whether the entry is a change of a kind.
func (e Change) Has(kind ChangeKind) bool {
	switch kind {
	case ChangeStatus:
		return e.Changed()
	case ChangeState:
		return e.Decision.From != e.Decision.To
	case ChangeToken:
		return e.NewToken
	case ChangeAlarm:
		return e.Decision.Alarm
	}
	return kind == ChangeAny
}

// SubscribeOptions are the choices of a subscription. The zero value is a good one.
type SubscribeOptions struct {
	// Kinds are the kinds of change that the handler hears of. Empty means ChangeStatus
	// alone.
	Kinds []ChangeKind
	// FromStart begins a new name at the journal's beginning, as far as it reaches
	// back, instead of with what comes next.
	FromStart bool
	// Attempts is how often the handler is tried with an entry before it becomes a
	// dead letter. 0 means 20, over about an hour.
	Attempts int
	// Timeout bounds one call of the handler. 0 means 30 s.
	Timeout time.Duration
}

const (
	defaultAttempts       = 20 // over about an hour
	defaultHandlerTimeout = 30 * time.Second
)

func (s *SubscribeOptions) wants(e Change) bool {
	if len(s.Kinds) == 0 {
		return e.Changed()
	}
	return slices.ContainsFunc(s.Kinds, e.Has)
}

// Subscribe calls handle with every change of the wanted kinds, read from the
// journal, until the Rack is closed: at least once, in order for each
// integration, one call at a time. The name's place in the journal is kept in the
// store, so that nothing is lost by a crash, and of all instances with the name
// one works, which another takes over when it dies. What is called again, after
// a crash or a failure, has the same Entry.ID.
//
// An error of the handler's, or a panic, means: try again later, with back-off.
// Meanwhile the same integration's later changes wait, and other integrations'
// do not. After Attempts the change becomes a dead letter, and what waited
// behind it goes on. A handler has to return when its context ends: then another
// instance may have begun to work. [github.com/keyrack-dev/keyrack/atrest] has what an
// operator needs: pause, resume, rewind, dead letters.
//
// A new name begins with what is committed after Subscribe was called, which for
// that asks the store where the journal ends. The error is ErrInvalid for an
// empty or running name, or ErrClosed.
func (r *Rack) Subscribe(name string, handle func(context.Context, Change) error, options *SubscribeOptions) error {
	if name == "" || handle == nil {
		return fmt.Errorf("%w: a subscription needs a name and a handler", ErrInvalid)
	}
	var o SubscribeOptions
	if options != nil {
		o = *options
	}
	if o.Attempts <= 0 {
		o.Attempts = defaultAttempts
	}
	if o.Timeout <= 0 {
		o.Timeout = defaultHandlerTimeout
	}
	s := &subscription.Subscriber[Change]{
		Name: name, Store: r.store, TTL: r.options.takeover(),
		Attempts: o.Attempts, Parse: entryOf, Wants: o.wants, News: r.news.Wait, Log: r.log,
		Handle: func(ctx context.Context, e Change, attempt int) error {
			return r.handle(ctx, name, &o, handle, e, attempt)
		},
	}
	if !o.FromStart {
		s.Begin = r.end()
	}
	return r.start(name, s.Run)
}

// end is where the journal ends or, where the store does not tell, how far the
// view has followed it.
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
		h := Handled{Subscription: name, Integration: e.Integration, Entry: e.ID, Attempt: attempt, Age: r.clock.now().Sub(e.At)}
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

// SubscriptionLags returns by how many positions of the journal the subscriptions that
// run here are behind its newest entry, by name, whichever instance works on them now.
// The store is asked once for each.
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
