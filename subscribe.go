package keyrack

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/guard"
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
func (e Entry) Has(kind ChangeKind) bool {
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

// Subscription is what Subscribe may be told. The zero value is a good one.
type Subscription struct {
	// Kinds are those of which the handler hears. Empty: ChangeStatus alone.
	Kinds []ChangeKind
	// FromStart begins a new name at the journal's beginning, as far as it reaches
	// back, instead of with what comes next.
	FromStart bool
	// Attempts is how often the handler is tried with an entry before it becomes a
	// dead letter. 0 means DefaultAttempts.
	Attempts int
	// Timeout bounds one call of the handler. 0 means DefaultHandlerTimeout.
	Timeout time.Duration
}

const (
	// DefaultAttempts is how often a handler is tried with an entry, over about an hour.
	DefaultAttempts = 20
	// DefaultHandlerTimeout bounds one call of a handler.
	DefaultHandlerTimeout = 30 * time.Second

	// subscriberWaiting bounds how many entries wait behind others that failed.
	subscriberWaiting = 4096

	// stride is how long a subscriber works on before it notes how far it has got,
	// and looks what the operator wants.
	stride = time.Second
)

func (s *Subscription) wants(e Entry) bool {
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
// instance may have begun to work.
//
// A new name begins with what is committed after Subscribe was called, which for
// that asks the store where the journal ends. The error is ErrInvalid for an
// empty or running name, or ErrClosed.
func (r *Rack) Subscribe(name string, handle func(context.Context, Entry) error, options *Subscription) error {
	if name == "" || handle == nil {
		return fmt.Errorf("%w: a subscription needs a name and a handler", ErrInvalid)
	}
	s := &subscriber{rack: r, name: name, handle: handle}
	if options != nil {
		s.options = *options
	}
	if s.options.Attempts <= 0 {
		s.options.Attempts = DefaultAttempts
	}
	if s.options.Timeout <= 0 {
		s.options.Timeout = DefaultHandlerTimeout
	}
	if !s.options.FromStart {
		s.begin = r.end()
	}
	return r.start(name, s.run)
}

// end is where the journal ends or, where the store does not tell, how far the
// view has followed it.
func (r *Rack) end() store.Position {
	ctx, cancel := context.WithTimeout(context.Background(), r.options.storeTimeout())
	defer cancel()
	if end, err := r.Latest(ctx); err == nil {
		return end
	}
	return r.Following().Position
}

// subscriber works for one name, on one instance.
type subscriber struct {
	rack    *Rack
	name    string
	options Subscription
	handle  func(context.Context, Entry) error
	begin   store.Position // of a new name
}

// subscriptionMark begins the name under which the store remembers that a
// subscription exists, so that its entries are not trimmed before it has them.
// Nothing else that is kept of subscriptions has a name that begins so.
const subscriptionMark = "subscribed "

func leaseOf(name string) string { return "subscription " + name }

// run works whenever this instance holds the name's lease.
func (s *subscriber) run(ctx context.Context) {
	holder := store.NewEntryID(s.rack.clock.now()).String()
	tick := time.NewTicker(s.rack.options.takeover() / 3)
	defer tick.Stop()
	for ctx.Err() == nil {
		asked := time.Now()
		lease, err := s.rack.store.Acquire(ctx, leaseOf(s.name), holder, s.rack.options.takeover())
		if err == nil {
			err = s.work(ctx, lease, asked)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, store.ErrFenced) {
			s.rack.log.WarnContext(ctx, "a subscription is interrupted", "subscription", s.name, "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// work reads the journal as long as the lease holds that was asked for at a time.
func (s *subscriber) work(ctx context.Context, lease store.Lease, asked time.Time) error {
	ctx, lost := context.WithCancel(ctx)
	// A store that does not answer tells nobody that the lease has run out.
	expiry := time.AfterFunc(time.Until(asked.Add(s.rack.options.takeover())), lost)
	renewing := make(chan struct{})
	defer func() {
		lost()
		<-renewing
		expiry.Stop()
		s.rack.release(ctx, lease)
	}()
	go func() {
		defer close(renewing)
		defer lost()
		s.renew(ctx, lease, expiry)
	}()
	at, err := s.place(ctx, lease)
	if err != nil {
		return err
	}
	b := backlog{subscriber: s, lease: lease, read: at, kept: at, failing: make(map[string][]waiting)}
	for ctx.Err() == nil {
		news := s.rack.news.wait()
		wait := time.Second
		paused, err := b.obey(ctx)
		if err == nil && !paused {
			wait, err = b.advance(ctx)
		}
		if err != nil {
			return err
		}
		if wait <= 0 {
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-news:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	return nil
}

// renew renews the lease, and with it the time of its expiry, until it is lost.
func (s *subscriber) renew(ctx context.Context, lease store.Lease, expiry *time.Timer) {
	ttl := s.rack.options.takeover()
	tick := time.NewTicker(ttl / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		asked := time.Now()
		renewed, err := s.rack.store.Acquire(ctx, lease.Name, lease.Holder, ttl)
		switch {
		case err == nil && renewed.Fence == lease.Fence:
			expiry.Reset(time.Until(asked.Add(ttl)))
		case err == nil || errors.Is(err, store.ErrFenced):
			return
		}
	}
}

// beginning is where a name that is new begins. It stands in the name's mark until
// the cursor is there, so that a crash in between moves it no further.
type beginning struct {
	From *store.Position `json:",omitzero"` // nil: the cursor is there
}

// place returns where the name stands, a new one where it begins.
func (s *subscriber) place(ctx context.Context, lease store.Lease) (store.Position, error) {
	mark := store.Ref{Name: subscriptionMark + s.name}
	value, err := s.rack.store.Sealed(ctx, mark)
	if errors.Is(err, store.ErrNotFound) {
		if value, err = json.Marshal(beginning{&s.begin}); err == nil {
			err = s.rack.store.Reseal(ctx, mark, nil, value)
		}
		if err == nil { // somebody whose lease ran out may have been faster
			value, err = s.rack.store.Sealed(ctx, mark)
		}
	}
	if err != nil {
		return 0, err
	}
	var begin beginning
	if err := json.Unmarshal(value, &begin); err != nil {
		return 0, err
	}
	if begin.From == nil {
		return s.rack.store.Cursor(ctx, lease.Name)
	}
	if err := s.rack.store.Advance(ctx, lease, *begin.From); err != nil {
		return 0, err
	}
	return *begin.From, s.rack.store.Reseal(ctx, mark, value, []byte("{}"))
}

// call calls the handler, and makes an error of a panic.
func (s *subscriber) call(ctx context.Context, e Entry, attempt int) (err error) {
	outer := ctx
	ctx, began := s.rack.tell.begin(ctx, WorkSubscription, s.name)
	defer func() {
		h := Handled{Subscription: s.name, Integration: e.Integration, Entry: e.ID, Attempt: attempt, Age: s.rack.clock.now().Sub(e.At)}
		switch {
		case err != nil && outer.Err() != nil:
			h.Failure = "interrupted"
		case err != nil:
			h.Failure, h.Dead = fmt.Sprintf("%T", err), attempt >= s.options.Attempts
		}
		s.rack.tell.handled(began, h)
	}()
	ctx, cancel := context.WithTimeout(ctx, s.options.Timeout)
	defer cancel()
	if v := guard.Panicked(func() { err = s.handle(ctx, e) }); v != nil {
		err = fmt.Errorf("keyrack: panic of a %T in the handler", v)
	}
	return err
}

// waiting is an entry that failed, or that waits behind one that did.
type waiting struct {
	entry    Entry
	attempts int
	due      time.Time
}

// backlog is what a subscriber has read of the journal and not finished.
type backlog struct {
	*subscriber
	lease   store.Lease
	read    store.Position       // how far the journal was read
	kept    store.Position       // where the cursor in the store stands
	failing map[string][]waiting // by integration, in order; the first is the one that failed
	waiting int
	enough  time.Time // when the stride ends
}

// advance tries again what is due, reads on, and notes how far everything is
// done. It returns how long there is nothing to do, unless there is news.
func (b *backlog) advance(ctx context.Context) (wait time.Duration, err error) {
	b.enough = time.Now().Add(stride)
	more, err := b.proceed(ctx)
	if err != nil || ctx.Err() != nil {
		return 0, err
	}
	if err := b.keep(ctx); err != nil || more {
		return 0, err
	}
	return b.pause(b.rack.clock.now()), nil
}

// proceed works until there is no more to do, or the stride ends.
func (b *backlog) proceed(ctx context.Context) (more bool, err error) {
	for integration := range b.failing {
		if err := b.retry(ctx, integration); err != nil {
			return false, err
		}
	}
	for e, err := range entriesOf(b.rack.store.Journal(ctx, b.read)) {
		if errors.Is(err, store.ErrTrimmed) {
			return false, b.skip(ctx)
		}
		if err != nil {
			return false, err
		}
		if b.waiting >= subscriberWaiting {
			return false, nil
		}
		if b.options.wants(e) {
			queue := b.failing[e.Integration]
			b.failing[e.Integration] = append(queue, waiting{entry: e})
			b.waiting++
			if len(queue) == 0 {
				if err := b.retry(ctx, e.Integration); err != nil {
					return false, err
				}
			}
		}
		if ctx.Err() != nil {
			return false, nil
		}
		b.read = e.Position
		if time.Now().After(b.enough) {
			return true, nil
		}
	}
	return false, nil
}

// retry works off what waits for an integration, until something fails or is not
// due, or the stride ends.
func (b *backlog) retry(ctx context.Context, integration string) error {
	for queue := b.failing[integration]; len(queue) > 0; queue = b.failing[integration] {
		first := &queue[0]
		if first.due.After(b.rack.clock.now()) || time.Now().After(b.enough) {
			return nil
		}
		err := b.call(ctx, first.entry, first.attempts+1)
		if ctx.Err() != nil {
			return nil // not the handler's failure
		}
		if err != nil {
			if first.attempts++; first.attempts < b.options.Attempts {
				first.due = b.rack.clock.now().Add(connector.Backoff(first.attempts, 0, nil))
				return nil
			}
			b.rack.log.ErrorContext(ctx, "a change becomes a dead letter", "subscription", b.name,
				"entry", first.entry.ID.String(), "attempts", first.attempts, "error type", fmt.Sprintf("%T", err))
			if err := b.rack.bury(ctx, b.name, first.entry, first.attempts); err != nil {
				return err
			}
		}
		b.failing[integration] = queue[1:]
		b.waiting--
	}
	delete(b.failing, integration)
	return nil
}

// keep moves the cursor to where everything before is done.
func (b *backlog) keep(ctx context.Context) error {
	done := b.read
	for _, queue := range b.failing {
		done = min(done, queue[0].entry.Position-1)
	}
	if done == b.kept {
		return nil
	}
	if err := b.rack.store.Advance(ctx, b.lease, done); err != nil {
		return err
	}
	b.kept = done
	return nil
}

// skip goes on where the journal begins, after it was trimmed beyond the cursor.
func (b *backlog) skip(ctx context.Context) error {
	first, _, err := b.rack.store.Bounds(ctx)
	if err != nil {
		return err
	}
	b.rack.log.ErrorContext(ctx, "a subscription missed what was trimmed from the journal", "subscription", b.name)
	b.read = max(first, b.read)
	return nil
}

// pause is how long there is nothing to do, unless there is news.
func (b *backlog) pause(now time.Time) time.Duration {
	pause := time.Second
	for _, queue := range b.failing {
		pause = min(pause, max(0, queue[0].due.Sub(now)))
	}
	return pause
}
