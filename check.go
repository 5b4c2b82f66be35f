package keyrack

import (
	"context"
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/internal/watch"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Check says whether a token is still valid. It needs no I/O, takes no lock and
// does not allocate. A token that nobody knows is Unknown, as is everything
// whose evidence is ambiguous: only [Verdict.Active] may be used as true.
func (r *Rack) Check(token string) Verdict {
	d := r.digester.Sum(token)
	record := r.view.Owner(d)
	if record == nil {
		return Verdict{}
	}
	return r.shown(r.verdictOn(record, d, r.clock.Instant()))
}

// CheckIntegration says whether the current token of an integration is valid. Like
// Check, it needs no I/O and does not allocate.
func (r *Rack) CheckIntegration(id string) Verdict {
	id = lifecycle.CanonicalID(id)
	record := r.view.Record(id)
	if record == nil {
		if r.aside.Has(id) {
			return unavailable(Verdict{})
		}
		return Verdict{}
	}
	return r.shown(r.verdict(record, r.clock.Instant()))
}

// name returns the id under which an integration is known, whatever it was called.
func (r *Rack) name(id string) string { return r.view.Name(lifecycle.CanonicalID(id)) }

// verdict is the verdict of an integration's current token, as far as it has one.
func (r *Rack) verdict(record *Record, now lifecycle.Instant) Verdict {
	return r.verdictOn(record, lifecycle.Digest{}, now)
}

// verdictOn is the verdict on a token of a record, or on the current one. Where nobody asks
// Mews, a nameless integration may be any that webhooks came about before its
// IntegrationCreated did.
func (r *Rack) verdictOn(record *Record, d lifecycle.Digest, now lifecycle.Instant) Verdict {
	rules := r.rules()
	v := record.Verdict(d, &rules.policy, now)
	if v.Status == lifecycle.Valid && !rules.asks && join.IsNameless(record.ID) && r.view.Unseen() > 0 {
		v.Status, v.Reason, v.Assumed, v.Likely = lifecycle.Unknown, lifecycle.ReasonNameless, false, true
	}
	return v
}

// While returns a context for work that goes on for as long as an integration's token may
// be used. It ends at once where the verdict is Invalid, and where it is Unknown once it has
// been so for Options.Patience without becoming Valid in between; then its cause
// ([context.Cause]) is a *NotActiveError with the verdict. On this instance that is before
// Deliver, or another method that takes in evidence, returns; on another one as soon as it
// has read the journal. It also ends with its parent, and with the Rack, with ErrClosed as
// its cause. An integration that nobody knows is Unknown.
//
// Call stop when the work is done. A context costs no goroutine, and less than 512 bytes.
func (r *Rack) While(ctx context.Context, id string) (while context.Context, stop context.CancelFunc) {
	return r.watches.Add(ctx, r.name(id))
}

func newWatches(r *Rack) *watch.Watches {
	patience := r.options.Patience
	if patience == 0 {
		patience = defaultPatience
	}
	return watch.New(watch.Options{
		Now: r.clock.Instant, Patience: patience, Closed: ErrClosed, Name: r.name,
		Look: func(id string) (v Verdict, next lifecycle.Instant) {
			if record := r.view.Record(id); record != nil {
				_, next = record.Untold(&r.rules().policy, r.clock.Instant())
			}
			return r.CheckIntegration(id), next
		},
		Cause: func(v Verdict) error { return &NotActiveError{v} },
	})
}

// Token returns the current token of an integration with its verdict, for use in
// a call to Mews. Use it only if the verdict is Active, or to find out
// whether it works. It is in memory after its first use; before, the store is asked.
//
// The error is ErrNotFound for an integration that nobody knows, ErrNoToken for
// one that has none (deleted, only ever announced by later events, or restored
// without it), and the store's or the sealer's otherwise. Where a current token is
// missing or does not open, the verdict is Unknown.
func (r *Rack) Token(ctx context.Context, id string) (Token, Verdict, error) {
	id = lifecycle.CanonicalID(id)
	slot := r.view.Slot(id)
	if slot == nil {
		return Token{}, Verdict{}, ErrNotFound
	}
	record := slot.Record()
	id = record.ID // it may have been a nameless one's
	v := r.shown(r.verdict(record, r.clock.Instant()))
	key, ok := record.CurrentKey()
	if !ok {
		return Token{}, v, ErrNoToken
	}
	ref := store.Ref{Integration: id, Digest: key.Digest}
	held := slot.Token()
	if held == nil || held.Digest != key.Digest {
		ctx, cancel := context.WithTimeout(ctx, r.options.storeTimeout())
		defer cancel()
		sealed, err := r.store.Sealed(ctx, ref)
		if errors.Is(err, store.ErrNotFound) {
			return Token{}, unavailable(v), ErrNoToken
		}
		if err != nil {
			return Token{}, unavailable(v), fmt.Errorf("keyrack: reading the token: %w", err)
		}
		held = &view.Sealed{Digest: key.Digest, Token: sealed}
		slot.KeepToken(held)
	}
	token, err := r.unsealToken(ctx, ref, held.Token)
	if err != nil {
		slot.DropToken(held) // it may have been sealed anew meanwhile
		return Token{}, unavailable(v), err
	}
	return token, v, nil
}

// tokenBy returns a token of an integration by its digest, in clear.
func (r *Rack) tokenBy(ctx context.Context, id string, d lifecycle.Digest) (Token, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.storeTimeout())
	defer cancel()
	ref := store.Ref{Integration: id, Digest: d}
	sealed, err := r.store.Sealed(ctx, ref)
	if err != nil {
		return Token{}, fmt.Errorf("keyrack: reading the token: %w", err)
	}
	return r.unsealToken(ctx, ref, sealed)
}

// unsealToken opens what the store holds at the place of a token. Whatever does not open, or
// is another token, is told of.
func (r *Rack) unsealToken(ctx context.Context, ref store.Ref, sealed []byte) (Token, error) {
	plain, err := binding.OpenToken(r.sealer, r.digester.Sum, ref, sealed)
	if err != nil {
		r.unopened(ctx, ref.Integration, err)
		return Token{}, fmt.Errorf("keyrack: opening the token: %w", err)
	}
	r.unopenable.Clear(ref.Integration)
	return lifecycle.NewToken(string(plain)), nil
}

// unopened tells that a sealed value does not open, once for each integration until one of
// its values opens again, and once for all bodies (which have no integration here).
func (r *Rack) unopened(ctx context.Context, id string, err error) {
	if r.unopenable.Add(id) {
		r.log.ErrorContext(ctx, "a sealed value does not open: its sealing key is missing, or it was changed or replaced in the store; 'keyrack doctor' finds all such values", "integration", id, "error", err)
		r.tell.alarmed(ctx, r.log, Alarm{Kind: AlarmUnreadable, Integration: id})
	}
}
