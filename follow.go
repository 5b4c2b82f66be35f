package keyrack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/internal/join"
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
// to fail, or to work again.
func (f *syncStatus) note(position store.Position, asked, now time.Time, err error) (changed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed = (err == nil) != (f.state.Err == nil)
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
func (r *Rack) tail(ctx context.Context, from store.Position) {
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
		next, err := r.catchUp(ctx, from)
		if ctx.Err() != nil {
			return
		}
		if next != from {
			r.news.Notify()
		}
		from = next
		r.keepNewSeen(ctx)
		if r.sync.note(from, asked, r.clock.Now(), err) {
			if err != nil {
				r.log.WarnContext(ctx, "the journal cannot be followed; answers rest on what was known", "error", err)
			} else {
				r.log.InfoContext(ctx, "the journal is followed again")
			}
		}
		select {
		case <-tick.C:
		case _, open := <-hints:
			if !open {
				hints = nil
			}
		case <-ctx.Done():
			return
		}
	}
}

// catchUp takes up what was committed after a position, and returns the position
// that it reached.
func (r *Rack) catchUp(ctx context.Context, from store.Position) (store.Position, error) {
	for e, err := range r.store.Journal(ctx, from) {
		if errors.Is(err, store.ErrTrimmed) {
			return r.startOver(ctx, from)
		}
		if err != nil {
			return from, fmt.Errorf("keyrack: following the journal: %w", err)
		}
		if known := r.view.Record(e.Integration); e.Integration != "" && (known == nil || known.Version < e.Version) {
			err := r.reload(ctx, e.Integration)
			if errors.Is(err, lifecycle.ErrNewer) { // nobody else has to wait
				r.log.WarnContext(ctx, "a newer version of keyrack wrote a record; its tokens are Unknown here", "integration", e.Integration)
			} else if err != nil {
				return from, err
			}
		}
		from = e.Position
	}
	return from, nil
}

// startOver reads everything anew, after the journal was trimmed beyond where
// the view stood.
func (r *Rack) startOver(ctx context.Context, from store.Position) (store.Position, error) {
	_, last, err := r.store.Bounds(ctx)
	if err != nil {
		return from, fmt.Errorf("keyrack: following the journal: %w", err)
	}
	if err := r.load(ctx); err != nil {
		return from, err
	}
	return last, nil
}

// load reads all integrations of the store into the view.
func (r *Rack) load(ctx context.Context) error {
	unreadable := 0
	var misspelled []string
	for stored, err := range r.store.Scan(ctx, "") {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		record, err := lifecycle.ParseRecord(stored.Record)
		if errors.Is(err, lifecycle.ErrNewer) {
			unreadable++
			r.view.Drop(stored.Integration)
			continue
		}
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		if r.spelled.Add(record.ID) {
			misspelled = append(misspelled, record.ID)
		}
		r.publish(record)
	}
	for _, id := range misspelled {
		if err := r.join(ctx, id); err != nil {
			return err
		}
	}
	if unreadable > 0 {
		r.log.WarnContext(ctx, "a newer version of keyrack wrote some records; their tokens are Unknown here", "records", unreadable)
	}
	return nil
}

// loadRecord reads one record of the store; a new one where there is none.
func (r *Rack) loadRecord(ctx context.Context, id string) (Record, error) {
	stored, err := r.store.Load(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return Record{ID: id}, nil
	}
	if err != nil {
		return Record{}, fmt.Errorf("keyrack: loading: %w", err)
	}
	return lifecycle.ParseRecord(stored.Record)
}

// reload publishes the store's record of an integration. If a newer version wrote it,
// what is known is out of date and dropped, and the error is lifecycle.ErrNewer.
func (r *Rack) reload(ctx context.Context, id string) error {
	if r.spelled.Add(id) {
		return r.join(ctx, id)
	}
	record, err := r.loadRecord(ctx, id)
	switch {
	case errors.Is(err, lifecycle.ErrNewer):
		r.view.Drop(id)
	case err == nil && record.Version > 0:
		r.publish(record)
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
		Store: r.store, Sealer: r.sealer, Now: r.clock.Now,
		Verdict: func(record *Record) Verdict { return record.Verdict(lifecycle.Digest{}, &r.policy, r.clock.Instant()) },
	}, id, r.spelled.Of(id)...)
	if errors.Is(err, join.ErrUnopened) || errors.Is(err, lifecycle.ErrNewer) {
		r.log.WarnContext(ctx, "an id in two spellings is not joined; its tokens are Unknown here", "integration", id, "error", err)
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
func (r *Rack) publish(record Record) {
	if lifecycle.CanonicalID(record.ID) != record.ID {
		r.news.Notify()
		return
	}
	r.view.Publish(record)
	r.news.Notify()
	if r.schedule != nil {
		r.schedule.Touch(record.ID)
	}
}
