package keyrack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/internal/history"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// defaultPoll is how often the journal is looked at for what other instances
// committed, unless Options.Poll says otherwise.
const defaultPoll = time.Second

// SyncStatus says how the view stands to the journal.
type SyncStatus struct {
	// Position is how far the view has followed the journal.
	Position store.Position
	// Synced is when the view last had everything that the store had. Answers rest on
	// at least what was known then.
	Synced time.Time
	// Looked is when the store was last looked at, with whatever result. A store that
	// hangs times out after 30 s, so a Looked older than that means this process is
	// stuck.
	Looked time.Time
	// Err is why the journal cannot be read at the moment; nil if it can.
	Err error
}

type syncStatus struct {
	mu    sync.Mutex
	state SyncStatus
}

func (f *syncStatus) get() SyncStatus {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state
}

// note notes a look that took from asked to now, and reports whether looks have begun
// to fail, to fail because the store is gone, or to work again.
func (f *syncStatus) note(position store.Position, asked, now time.Time, err error) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed = (err == nil) != (f.state.Err == nil) || errors.Is(err, store.ErrGone) != errors.Is(f.state.Err, store.ErrGone)
	f.state.Position, f.state.Looked, f.state.Err = position, now, err
	if err == nil {
		f.state.Synced = asked // what came after may be missing
	}
	return changed
}

// SyncStatus says how the view stands to the journal: how far it has got, and
// whether the store can be read.
func (r *Rack) SyncStatus() SyncStatus { return r.sync.get() }

// tail takes up what other instances commit, until the context ends.
func (r *Rack) tail(ctx context.Context) {
	poll := r.options.Poll
	if poll <= 0 {
		poll = defaultPoll
	}
	var hints <-chan struct{}
	if n, ok := r.store.(store.News); ok {
		hints = n.News(ctx)
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	defer r.keepNewSeen(ctx)
	for {
		asked := r.clock.Now()
		from := r.history.Position()
		err := r.catchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		if r.history.Position() != from {
			r.news.Notify()
		}
		r.keepNewSeen(ctx)
		r.followRules(ctx, asked)
		if r.sync.note(r.history.Position(), asked, r.clock.Now(), err) {
			if err != nil {
				r.log.WarnContext(ctx, "the journal cannot be followed; answers rest on what was known", "error", err)
				if errors.Is(err, store.ErrGone) {
					r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmStore})
				}
			} else {
				r.log.InfoContext(ctx, "the journal is followed again")
			}
		}
		select {
		case <-tick.C:
		case <-r.noticed:
		case _, open := <-hints:
			if !open {
				hints = nil
			}
		case <-ctx.Done():
			return
		}
	}
}

// catchUp takes up what was committed since the last time. If the store went back, or the
// journal was trimmed beyond where the view stood, it reads everything anew.
func (r *Rack) catchUp(ctx context.Context) error {
	if r.adrift.Load() {
		return r.recover(ctx)
	}
	err := r.history.Look(ctx, func(e store.Entry) error { return r.takeUp(ctx, e) })
	switch {
	case errors.Is(err, store.ErrTrimmed):
		return r.startOver(ctx)
	case errors.Is(err, history.ErrBack):
		r.goneBack(ctx, err)
		return r.recover(ctx)
	case err != nil:
		return fmt.Errorf("keyrack: following the journal: %w", err)
	}
	return nil
}

// takeUp takes up an entry of the journal.
func (r *Rack) takeUp(ctx context.Context, e store.Entry) error {
	if unfit := stamp.Unfit(e.Decision); unfit != nil {
		r.unreadable(ctx, e.Integration, unfit)
	}
	if e.Integration == "" {
		return nil
	}
	if record, made, ok := r.view.Held(e.Integration); ok {
		if record.Version > e.Version || record.Version == e.Version && sameEntry(made, e.ID) {
			return nil
		} else if record.Version == e.Version {
			return history.ErrVersion
		}
	}
	if err := r.reload(ctx, e.Integration); !errors.Is(err, errUnreadable) { // for that nobody else has to wait
		return err
	}
	return nil
}

// load reads all integrations of the store into the view.
func (r *Rack) load(ctx context.Context) error {
	var misspelled []string
	for stored, err := range r.store.Scan(ctx, "") {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		record, err := parseStored(stored)
		if err != nil {
			r.setAside(ctx, stored.Integration, err)
			continue
		}
		if r.spelled.Add(record.ID) {
			misspelled = append(misspelled, record.ID)
		}
		r.publish(version{record, stored.Last, true})
	}
	for _, id := range misspelled {
		if r.options.Guest {
			r.view.Drop(lifecycle.CanonicalID(id)) // until visit joins it
			r.aside.Add(lifecycle.CanonicalID(id))
			continue
		}
		if err := r.join(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// loadRecord reads one record of the store; a new one where there is none.
func (r *Rack) loadRecord(ctx context.Context, id string) (version, error) {
	stored, err := r.store.Load(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return version{Record: Record{ID: id}, foreign: true}, nil
	}
	if err != nil {
		return version{}, fmt.Errorf("keyrack: loading: %w", err)
	}
	record, err := parseStored(stored)
	return version{record, stored.Last, true}, err
}

// reload publishes the store's record of an integration. If it cannot be read, it is set
// aside, and the error wraps errUnreadable.
func (r *Rack) reload(ctx context.Context, id string) error {
	if r.spelled.Add(id) && !r.options.Guest {
		return r.join(ctx, id)
	}
	record, err := r.loadRecord(ctx, id)
	switch {
	case errors.Is(err, errUnreadable):
		r.setAside(ctx, id, err)
	case err == nil && record.Version > 0:
		if err := r.publishNamed(ctx, &record.Record); err != nil {
			return err
		}
		r.publish(record)
	}
	return err
}

// publishNamed publishes the one that a nameless integration turned out to be, before the
// nameless one is published without its token: so the token is known at any time.
func (r *Rack) publishNamed(ctx context.Context, alias *Record) error {
	if alias.Alias == "" || r.view.Version(alias.ID) >= alias.Version {
		return nil
	}
	named, err := r.loadRecord(ctx, alias.Alias)
	if err == nil && named.Version > 0 {
		r.publish(named)
	}
	if errors.Is(err, errUnreadable) {
		return nil // it is set aside when its own entry comes
	}
	return err
}

// join joins what a former version keeps, or kept, under another spelling of an id.
func (r *Rack) join(ctx context.Context, spelling string) error {
	id := lifecycle.CanonicalID(spelling)
	lock, err := r.locks.Lock(ctx, id)
	if err != nil {
		return fmt.Errorf("keyrack: waiting for other evidence: %w", err)
	}
	defer lock.Unlock()
	joined, err := join.Join(ctx, join.Options{
		Store: r.store, Sealer: r.sealer, Digest: r.digester.Sum, Now: r.clock.Now,
		Verdict: func(record *Record) Verdict {
			return record.Verdict(lifecycle.Digest{}, &r.rules().policy, r.clock.Instant())
		},
	}, id, r.spelled.Of(id)...)
	if errors.Is(err, join.ErrUnopened) || errors.Is(err, join.ErrUnread) {
		r.log.WarnContext(ctx, "an id in two spellings is not joined; its tokens are Unknown here", "integration", id, "error", err)
		r.setAside(ctx, id, err)
		return nil
	}
	if err != nil {
		return fmt.Errorf("keyrack: joining: %w", err)
	}
	for _, cause := range joined.Causes {
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmEvidence, Integration: id, Cause: cause})
	}
	if joined.Record.Version == 0 {
		return nil
	}
	r.log.InfoContext(ctx, "an id in two spellings was joined", "integration", id)
	return r.reload(ctx, id)
}

// publish takes a record into the view, and tells who waits for news of it. One under
// another spelling than the canonical one is not shown.
func (r *Rack) publish(record version) {
	if lifecycle.CanonicalID(record.ID) != record.ID {
		r.news.Notify()
		return
	}
	if join.IsNameless(record.ID) {
		r.spelled.Alias(record.ID, record.Alias)
	}
	if r.view.Publish(record.Record, record.made, record.foreign) && r.history != nil {
		r.history.Expect(record.ID, record.Version, record.made)
	}
	r.aside.Clear(record.ID)
	r.news.Notify()
	r.touch(record.ID)
}

// touch has what goes by the clock look at an integration anew.
func (r *Rack) touch(id string) {
	r.due.Touch(id)
	r.watches.Touch(id)
	if r.schedule != nil {
		r.schedule.Touch(id)
	}
}

// errUnreadable: what the store holds of an integration cannot be read by this version.
var errUnreadable = errors.New("keyrack: what the store holds of the integration cannot be read")

// parseStored reads a record. One that is another integration's, or of another version than
// the store says, cannot be read either: somebody else has written it.
func parseStored(stored store.Stored) (Record, error) {
	record, err := lifecycle.ParseRecord(stored.Record)
	switch unfit := stamp.Unfit(stored.Record); {
	case unfit != nil:
		return Record{}, fmt.Errorf("%w: %w", errUnreadable, unfit)
	case err != nil:
		return Record{}, fmt.Errorf("%w: %w", errUnreadable, err)
	case record.ID != stored.Integration || record.Version != stored.Version:
		return Record{}, fmt.Errorf("%w: the record is that of another integration or version", errUnreadable)
	}
	return record, nil
}

// setAside stops serving an integration whose record cannot be read: its verdict is Unknown
// until a record of it can be read. It alarms once.
func (r *Rack) setAside(ctx context.Context, id string, err error) {
	id = lifecycle.CanonicalID(id)
	r.view.Drop(id)
	r.watches.Touch(id)
	if r.aside.Add(id) {
		r.log.ErrorContext(ctx, "a record in the store cannot be read; its tokens are Unknown here", "integration", id, "error", err)
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmUnreadable, Integration: id})
	}
}

// unreadable tells of an integration whose record is sound and whose journal cannot be read.
func (r *Rack) unreadable(ctx context.Context, id string, err error) {
	r.log.ErrorContext(ctx, "what the journal has of an integration cannot be read", "integration", id, "error", err)
	r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmUnreadable, Integration: id})
}
