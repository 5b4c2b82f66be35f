package keyrack

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/internal/history"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// goneBack notes that the store went back: everything is Unknown until it was read anew.
func (r *Rack) goneBack(ctx context.Context, why error) {
	if r.adrift.Swap(true) {
		return
	}
	r.log.ErrorContext(ctx, "the store went back to an earlier state; everything is Unknown until it was read anew", "error", why)
	r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmStore})
	r.watches.TouchAll()
	select {
	case r.noticed <- struct{}{}:
	default:
	}
}

// returned waits until the store was read anew, or the context ends.
func (r *Rack) returned(ctx context.Context) error {
	for {
		news := r.news.Wait()
		if !r.adrift.Load() {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// again returns what the store has after a commit upon a known version was refused. If a name
// has been found for it meanwhile, the one that it turned out to be is published first. The
// error is history.ErrBack if what the store has is not the known version or what followed it.
func (r *Rack) again(ctx context.Context, kind lifecycle.Kind, known version) (version, error) {
	next, err := r.loadRecord(ctx, known.ID)
	if err == nil {
		err = r.publishNamed(ctx, &next.Record)
	}
	if err != nil || known.Version == 0 || kind == lifecycle.KindFork {
		return next, err // a fork is about the store's record, whatever was known before
	}
	if next.Version < known.Version || next.Version == known.Version && !sameEntry(next.made, known.made) {
		err = history.ErrVersion
	} else {
		err = r.history.Intact(ctx)
	}
	if errors.Is(err, history.ErrBack) {
		r.goneBack(ctx, err)
	}
	return next, err
}

// recover reads everything anew after the store went back, and writes down what
// was known beyond what it has.
func (r *Rack) recover(ctx context.Context) error {
	incarnation, last, err := history.Where(ctx, r.store)
	if err != nil {
		return fmt.Errorf("keyrack: reading the store: %w", err)
	}
	at, err := r.history.Fork(ctx)
	if err != nil {
		return fmt.Errorf("keyrack: reading the store: %w", err)
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	if r.options.Guest {
		clear(r.lost) // those whose store it is write down what they know
	}
	for id, lost := range r.lost {
		e := lifecycle.Evidence{Kind: lifecycle.KindFork, Record: string(lifecycle.AppendRecord(nil, lost))}
		if err := r.writeDown(ctx, id, e); errors.Is(err, errUnreadable) {
			r.setAside(ctx, id, err) // nobody else has to wait for it
		} else if err != nil {
			return fmt.Errorf("keyrack: writing down what the store lost: %w", err)
		}
		r.log.ErrorContext(ctx, "more was known of an integration than the store has", "integration", id, "version", lost.Version)
		delete(r.lost, id)
	}
	r.history.Restart(incarnation, last)
	r.parted(at)
	r.adrift.Store(false)
	r.watches.TouchAll()
	r.log.WarnContext(ctx, "the store was read anew; the histories part after a position of the journal", "position", uint64(at))
	r.news.Notify()
	return nil
}

// startOver reads everything anew, after the journal was trimmed beyond where
// the view stood.
func (r *Rack) startOver(ctx context.Context) error {
	incarnation, last, err := history.Where(ctx, r.store)
	if err != nil {
		return fmt.Errorf("keyrack: following the journal: %w", err)
	}
	if err := r.compare(ctx); err != nil {
		return err
	}
	if len(r.lost) > 0 { // it went back, and was trimmed since
		r.goneBack(ctx, history.ErrVersion)
		return r.recover(ctx)
	}
	if err := r.load(ctx); err != nil {
		return err
	}
	r.history.Restart(incarnation, last)
	return nil
}

// compare compares every record of the view with the store's, and takes over the store's
// where the view's is of another history.
func (r *Rack) compare(ctx context.Context) error {
	missing := make(map[string]bool)
	for record := range r.view.Every {
		missing[record.ID] = true
	}
	for stored, err := range r.store.Scan(ctx, "") {
		if err != nil {
			return fmt.Errorf("keyrack: reading the store: %w", err)
		}
		delete(missing, stored.Integration)
		if err := r.compareOne(ctx, stored); err != nil {
			return err
		}
	}
	for id := range missing {
		if err := r.compareOne(ctx, store.Stored{Integration: id}); err != nil {
			return err
		}
	}
	return nil
}

// compareOne compares a record of the view with the store's, as it was a while ago.
func (r *Rack) compareOne(ctx context.Context, stored store.Stored) error {
	id := stored.Integration
	lock, err := r.locks.Lock(ctx, id)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	known, made, ok := r.view.Held(id)
	if !ok || known.Version == 0 {
		return nil
	}
	if has, err := r.history.Has(ctx, stored, known.Version, made); err != nil || has {
		return err
	}
	now, err := r.store.Load(ctx, id) // known may be newer than what was read
	if errors.Is(err, store.ErrNotFound) {
		now, err = store.Stored{Integration: id}, nil
	}
	if err != nil {
		return fmt.Errorf("keyrack: loading: %w", err)
	}
	stored = now
	if has, err := r.history.Has(ctx, stored, known.Version, made); err != nil || has {
		return err
	}
	if stored.Version == 0 {
		r.view.Drop(id)
	} else if record, err := parseStored(stored); err == nil { // else it is set aside
		r.view.Replace(record, stored.Last)
	}
	if _, noted := r.lost[id]; !noted && (stored.Version > 0 || r.remains(known)) {
		r.lost[id] = *known
	}
	return nil
}

// remains reports whether a record says anything: one that was forgotten does not.
func (r *Rack) remains(record *Record) bool {
	return len(record.Keys) > 0 || record.State != lifecycle.Unseen || record.Arrived != 0
}
