package keyrack

import (
	"context"
	"time"

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
		if err := r.keepSeen(ctx); err != nil && ctx.Err() == nil { // Open has done so at the start
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

// spent reports whether a record's token is no longer needed, but for its digest.
func (r *Rack) spent(record *Record, d lifecycle.Digest) bool {
	return holds(record, d) && !record.Retains(d, r.clock.Instant(), r.retention())
}

// shred erases a token that was no longer needed when somebody looked: in use
// again by now it may be, by an import or a probe. Under the lock it stays as it is.
func (r *Rack) shred(ctx context.Context, ref store.Ref) error {
	lock, err := r.locks.Lock(ctx, ref.Integration)
	if err != nil {
		return err
	}
	defer lock.Unlock()
	record, err := r.loadRecord(ctx, ref.Integration)
	if err != nil || !r.spent(&record, ref.Digest) {
		return err
	}
	return r.store.Shred(ctx, ref)
}
