package keyrack

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/internal/due"
	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/internal/subscription"
	"github.com/keyrack-dev/keyrack/internal/trim"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	housekeepEvery = time.Hour
	// unproven is how long a token that was superseded or revoked is kept where
	// there is no prober to say that it does not work.
	unproven = 24 * time.Hour
)

// retention is how long an unproven token is kept; 0 where a prober will tell.
func (r *Rack) retention() time.Duration {
	if r.options.Prober != nil {
		return 0
	}
	return unproven
}

// shredSpent erases the tokens that a piece of evidence has made superfluous.
// What fails here, housekeeping does.
func (r *Rack) shredSpent(ctx context.Context, before, after *Record) {
	if r.options.Guest {
		return // whether somebody asks Mews, the application knows
	}
	now := r.clock.Instant()
	var spent []store.Ref
	for i := range before.Keys {
		d := before.Keys[i].Digest
		if before.Retains(d, now, r.retention()) && holds(after, d) && !after.Retains(d, now, r.retention()) {
			spent = append(spent, store.Ref{Integration: after.ID, Digest: d})
		}
	}
	if len(spent) == 0 {
		return
	}
	if err := r.store.Shred(ctx, spent...); err != nil {
		r.log.WarnContext(ctx, "spent tokens are not erased yet", "tokens", len(spent), "error", err)
	}
}

// housekeep erases what is no longer needed, at the start and every hour, until
// the context ends.
func (r *Rack) housekeep(ctx context.Context) {
	tick := time.NewTicker(housekeepEvery)
	defer tick.Stop()
	holder := store.NewEntryID(r.clock.Now()).String()
	for {
		if err := r.trimDaily(ctx, holder); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "trimming is put off", "error", err)
		}
		if err := r.shredAll(ctx); err != nil && ctx.Err() == nil {
			r.log.WarnContext(ctx, "housekeeping is put off", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		for _, id := range r.aside.All() { // somebody may have repaired them
			_ = r.reload(ctx, id)
		}
		if err := r.seen.Keep(ctx); err != nil && ctx.Err() == nil { // Open has done so at the start
			r.log.WarnContext(ctx, "which actions others saw is not known yet", "error", err)
		}
	}
}

// shredAll erases all tokens that are no longer needed.
func (r *Rack) shredAll(ctx context.Context) error {
	var spent []store.Ref
	for ref, err := range r.store.ScanSealed(ctx) {
		if err != nil {
			return err
		}
		if ref.Integration == "" {
			continue
		}
		if record := r.view.Record(ref.Integration); record != nil && r.spent(record, ref.Digest) {
			spent = append(spent, ref)
		}
	}
	for _, ref := range spent {
		if err := r.shred(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}

// spent reports whether a record's token is no longer needed, except for its digest.
func (r *Rack) spent(record *Record, d lifecycle.Digest) bool {
	return holds(record, d) && !record.Retains(d, r.clock.Instant(), r.retention())
}

// shred erases a token that was no longer needed a moment ago. Meanwhile an import or a
// probe may have put it to use again, so it looks once more, under the lock.
func (r *Rack) shred(ctx context.Context, ref store.Ref) error {
	lock, err := r.locks.Lock(ctx, ref.Integration)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	record, err := r.loadRecord(ctx, ref.Integration)
	if err != nil || !r.spent(&record.Record, ref.Digest) {
		return err
	}
	return r.store.Shred(ctx, ref)
}

// trimEvery is how often one of the instances trims the journal.
const trimEvery = 24 * time.Hour

// Trim trims the journal now to the Retention that counts for all instances, or to that of a
// guest which was given one, and returns how many integrations have fewer entries. One of the instances does so once a day without being asked, unless
// its clock may be wrong: it waits until the journal has an entry that is between one and
// two days old by that clock. Trim itself believes the clock. What a subscription has yet to
// handle is not trimmed, nor an integration whose entries cannot be read. Where nothing is too
// old it looks at the integrations alone that have news since the last time.
func (r *Rack) Trim(ctx context.Context) (int, error) {
	worked, err := subscription.DoneBefore(ctx, r.store, r.SyncStatus().Position)
	if err != nil {
		return 0, fmt.Errorf("keyrack: trimming: %w", err)
	}
	now := r.clock.Instant()
	p := trim.Pass{Store: r.store, Now: now, Worked: worked, Settled: worked, Unreadable: r.unreadable}
	p.Before, p.Keep = r.retained().limits(now)
	young, err := r.firstSince(ctx, lifecycle.At(now.Time().Add(-trim.Young)))
	if young.Position != 0 {
		p.Settled = young.Position - 1
	}
	if err == nil {
		err = p.Run(ctx)
	}
	if err != nil {
		return p.Trimmed, fmt.Errorf("keyrack: trimming: %w", err)
	}
	return p.Trimmed, nil
}

// trimDaily trims the journal if no instance has done so for a day. The cursor "trim"
// holds the time of the last trim, so short-lived instances trim as well.
func (r *Rack) trimDaily(ctx context.Context, holder string) error {
	k := lease.Keeper{Store: r.store, Name: "trim", Holder: holder, TTL: housekeepEvery, Patience: r.options.storeTimeout()}
	err := k.Hold(ctx, r.trimIfDue)
	if errors.Is(err, store.ErrFenced) {
		return nil // another instance sees to it
	}
	return err
}

func (r *Rack) trimIfDue(ctx context.Context, l store.Lease) error {
	last, err := r.store.Cursor(ctx, l.Name)
	if err != nil {
		return err
	}
	now := r.clock.Instant()
	if since := now.Sub(lifecycle.Instant(last)); since >= 0 && since < trimEvery {
		return nil
	}
	if last != 0 { // else there is nothing that is a day old
		if known, err := r.clockIsKnown(ctx, now); err != nil || !known {
			return err
		}
		if _, err := r.Trim(ctx); err != nil {
			return err
		}
	}
	return r.store.Advance(ctx, l, store.Position(now))
}

// clockIsKnown reports whether the journal has an entry that is between one and two days old
// by this clock: one that has jumped ahead finds none until it has been wrong for a day. Such
// a clock would trim everything.
func (r *Rack) clockIsKnown(ctx context.Context, now lifecycle.Instant) (bool, error) {
	found, err := r.firstSince(ctx, lifecycle.At(now.Time().Add(-2*trimEvery)))
	if err != nil {
		return false, err
	}
	known := found.Position != 0 && now.Sub(found.At) >= trimEvery
	if !known {
		r.log.InfoContext(ctx, "trimming waits until the journal has an entry that is between one and two days old by this clock")
	}
	return known, nil
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
