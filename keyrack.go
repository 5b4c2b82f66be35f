package keyrack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/internal/annotation"
	"github.com/keyrack-dev/keyrack/internal/clock"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/internal/history"
	"github.com/keyrack-dev/keyrack/internal/seen"
	"github.com/keyrack-dev/keyrack/internal/settings"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/internal/striped"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// Open makes a Rack on a store, reads the store's integrations into memory and starts a
// few goroutines in the background, which Close ends and waits for. The context bounds
// the opening alone. nil options mean the zero Options. The store stays the caller's, to
// be closed after the Rack.
func Open(ctx context.Context, s store.Store, options *Options) (*Rack, error) {
	r := &Rack{clock: clock.New(), view: view.New(), locks: striped.New(), back: newBack(), watched: make(chan seenAnswer, 256)}
	if options != nil {
		r.options = *options
	}
	if s == nil || absent(s) {
		return nil, fmt.Errorf("%w: Open needs a store, and this one is nil (%T); memstore.New(nil) makes one that ends with the process", ErrInvalid, s)
	}
	if err := r.options.check(); err != nil {
		return nil, err
	}
	r.log = r.options.logger()
	r.tell = newTeller(r.options.Telemetry, r.log)
	r.given, r.store = s, guard.Store(s, r.tell.watch())
	r.answers = annotation.New(r.store, r.log, r.options.storeTimeout())
	r.seen = seen.New(r.store, r.log)
	if err := r.unseal(ctx); err != nil {
		return nil, err
	}
	if err := r.agree(ctx); err != nil {
		return nil, err
	}
	r.due, r.watches = newBook(r), newWatches(r)
	asked := r.clock.Now()
	journal, err := history.New(ctx, r.store)
	if err != nil {
		return nil, fmt.Errorf("keyrack: reading the store: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.respell(ctx); err != nil {
		return nil, err
	}
	if err := r.seen.Keep(ctx); err != nil { // statistics alone need it
		r.log.WarnContext(ctx, "which actions were seen is not known yet", "error", err)
	}
	r.writeDown = func(ctx context.Context, id string, e lifecycle.Evidence) error {
		_, err := r.takeAbout(ctx, id, e)
		return err
	}
	r.history = journal // what was loaded before lies behind it, or comes
	r.sync.note(journal.Position(), asked, r.clock.Now(), nil)
	background, stop := context.WithCancel(context.Background())
	r.stop, r.running = stop, make(map[string]bool)
	r.launch = func(run func(context.Context)) { r.done.Go(func() { run(background) }) }
	if r.options.Prober != nil {
		r.schedule = newSchedule(r) // before anything runs that looks whether there is one
	}
	r.launch(r.answers.Run)
	r.launch(r.tail)
	r.launch(r.noteWatched)
	if !r.options.Guest {
		r.launch(r.housekeep)
		r.launch(r.due.Run)
	}
	r.launch(r.watches.Run)
	if r.schedule != nil {
		r.launch(r.schedule.Lead)
		r.launch(r.schedule.Run)
	}
	return r, nil
}

// Store returns the store that the Rack was opened on, for what package atrest does
// with a store.
func (r *Rack) Store() store.Store { return r.given }

// Close ends the background work and waits for it, and for the note in the journal of
// how the latest deliveries were answered. Handlers of subscriptions see their contexts
// end, as do the contexts of While, with ErrClosed as their cause. Deliveries that are under way are finished by their callers; later ones, and all
// other evidence, are refused with ErrClosed. Check and the other questions go on answering
// from memory.
//
// Close waits for at most 10 s. What has not ended by then is a function that the
// application gave, which ignores the end of its context or has called Close itself: the
// error says so, and the goroutine is left behind.
func (r *Rack) Close() error {
	r.mu.Lock()
	r.closed.Store(true)
	r.mu.Unlock()
	r.stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.done.Wait()
	}()
	late := time.NewTimer(closePatience)
	defer late.Stop()
	select {
	case <-ended:
		return nil
	case <-late.C:
		return errStuck
	}
}

// closePatience is how long Close waits: for a store that hangs, twice.
const closePatience = 10 * time.Second

var errStuck = errors.New("keyrack: closing: a handler, or another function that the application gave, has not returned")

// unseal gets the keys of the token digests and of the stamps from the store, or begins the
// store with new ones. That the sealer opens them proves that it is the right one. From here
// on, what is written gets a stamp, and what does not fit its stamp is not shown.
func (r *Rack) unseal(ctx context.Context) error {
	r.sealer = r.options.Sealer
	if r.sealer == nil {
		if v, ok := r.store.(store.Volatile); !ok || !v.Volatile() {
			return ErrNoSealer
		}
		r.sealer = seal.Ephemeral()
	}
	r.sealer = guard.Sealer(r.sealer)
	keys, err := digestkey.Keys{}, store.ErrNotFound
	if r.options.Guest {
		keys, err = digestkey.Open(ctx, r.store, r.sealer)
	}
	if errors.Is(err, store.ErrNotFound) {
		if err := digestkey.Begin(ctx, r.store, r.sealer); err != nil {
			return err
		}
		keys, err = digestkey.Open(ctx, r.store, r.sealer)
	}
	if err != nil {
		return err
	}
	r.digester = keys.Digester
	if r.options.Sealer != nil { // else the store lies in this process alone
		r.store = stamp.Store(r.store, keys.Stamps)
	}
	return nil
}

// agree has the store keep what this instance was told, and takes up what counts for all.
// Settings that cannot be read are told of, and replaced by this instance's.
func (r *Rack) agree(ctx context.Context) error {
	o := &r.options
	given := settings.Settings{
		Horizon: o.Horizon, Age: o.Retention.Age, Entries: o.Retention.Entries, Policy: o.Policy,
		Asks: o.Prober != nil, Trusts: o.TrustDeliveries,
	}
	var now, before settings.Settings
	var err error
	if o.Guest {
		now, err = settings.Read(ctx, r.store, r.sealer)
		before = now
	} else {
		now, before, err = settings.Agree(ctx, r.store, r.sealer, given, o.SetDefaults)
	}
	if errors.Is(err, settings.ErrUnread) {
		r.unruled(ctx, err)
		now, err = given, nil
	}
	if err != nil {
		return err
	}
	if d := settings.Differences(before, now); len(d) > 0 && before != (settings.Settings{}) {
		r.log.WarnContext(ctx, "the settings of all instances on this store were changed", d...)
	}
	return r.follow(ctx, now)
}

// respell brings the identifiers in all records into their one spelling, before they are
// compared with what comes in.
func (r *Rack) respell(ctx context.Context) error {
	if r.options.Guest {
		return nil // see visit
	}
	var ids []string
	for record := range r.view.All {
		if misspells(record) {
			ids = append(ids, record.ID)
		}
	}
	for _, id := range ids {
		if err := r.respellOne(ctx, id); err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
	}
	return nil
}

func (r *Rack) respellOne(ctx context.Context, id string) error {
	lock, err := r.locks.Lock(ctx, id)
	if err != nil {
		return fmt.Errorf("keyrack: waiting for other evidence: %w", err)
	}
	defer lock.Unlock()
	for range attempts {
		var record version
		if record, err = r.loadRecord(ctx, id); err != nil || !misspells(&record.Record) {
			break
		}
		e, _ := record.Upgrade(r.clock.Instant())
		if _, err = r.upgrade(ctx, record, e); !errors.Is(err, store.ErrConflict) {
			break
		}
	}
	return err
}
