package keyrack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Receipt says what became of a piece of evidence.
type Receipt struct {
	// ID is the journal entry's.
	ID store.EntryID
	// Action is Mews's name of a delivery's action. It is empty for other evidence, and
	// for a delivery whose action cannot be read.
	Action string
	// Integration is empty for a delivery that names none.
	Integration string
	Decision    lifecycle.Decision
	// Verdict is the verdict on the integration's current token, afterwards.
	Verdict Verdict
	// General is set for a General Webhook. It is the application's own business, and
	// not journalled unless it carries a token.
	General *events.General
}

// Change is an entry of the journal: one thing that happened to an integration, and what
// became of it. It may have changed nothing, as a duplicate does.
type Change struct {
	// Position is its place in the journal; newer entries have larger ones.
	Position store.Position
	// ID is given when the evidence arrives and never changes, so a program that acts
	// on changes can recognise a repetition.
	ID store.EntryID
	// Integration is empty for a delivery that names none.
	Integration string
	// Version is the integration's record's, afterwards.
	Version  uint64
	At       time.Time
	Evidence lifecycle.Evidence
	Decision lifecycle.Decision
	// Was and Is are the verdict's status on the integration's current token, as it was
	// told last and as it is now, under the policy of the instance that decided; Reason is
	// why. One change's Is is the next one's Was.
	Was, Is lifecycle.Status
	Reason  lifecycle.Reason
	// NewToken: the integration has another current token afterwards, or none.
	NewToken bool
	// Labels are the integration's afterwards.
	Labels lifecycle.Labels
	// Response is how a delivery was answered; zero if that is not known.
	Response store.Response
}

// String returns the change in one line: when, what, what was decided, what became of the
// verdict, and how the delivery was answered.
func (c Change) String() string {
	var b strings.Builder
	what := c.Evidence.Action.String()
	if c.Evidence.Kind != lifecycle.KindDelivery {
		what = c.Evidence.Kind.String()
		if c.Evidence.Answer != lifecycle.NoAnswer {
			what += " " + c.Evidence.Answer.String()
		}
	}
	fmt.Fprintf(&b, "%s  %-24s %v", c.At.UTC().Format(time.RFC3339), what, c.Decision.Outcome)
	if c.Decision.Cause != "" {
		fmt.Fprintf(&b, " (%v)", c.Decision.Cause)
	}
	if c.Evidence.Unread != "" {
		fmt.Fprintf(&b, "  unread: %s", c.Evidence.Unread)
	}
	if c.Decision.From != c.Decision.To {
		fmt.Fprintf(&b, "  %v -> %v", c.Decision.From, c.Decision.To)
	}
	if c.Was != c.Is {
		fmt.Fprintf(&b, "  %v -> %v (%v)", c.Was, c.Is, c.Reason)
	}
	if c.Response.Status != 0 {
		fmt.Fprintf(&b, "  answered %d in %.3g ms", c.Response.Status, float64(c.Response.Took.Microseconds())/1000)
	}
	return b.String()
}

// changeOf reads an entry of the store's journal.
func changeOf(e store.Entry) (Change, error) {
	evidence, j, err := entry.Parse(e)
	if unfit := stamp.Unfit(e.Decision); unfit != nil {
		err = fmt.Errorf("%w: entry %v: %w", errUnreadable, e.ID, unfit)
	}
	return Change{
		Position: e.Position, ID: e.ID, Integration: lifecycle.CanonicalID(e.Integration), Version: e.Version, At: e.At.Time(),
		Evidence: evidence, Decision: j.Decision, Was: j.Was, Is: j.Is, Reason: j.Reason, NewToken: j.NewToken, Labels: j.Labels,
		Response: e.Response,
	}, err
}

// changesOf reads entries of the store's journal, up to the first error.
func changesOf(entries iter.Seq2[store.Entry, error]) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		for stored, err := range entries {
			var c Change
			if err == nil {
				c, err = changeOf(stored)
			}
			if !yield(c, err) || err != nil {
				return
			}
		}
	}
}

// History returns what happened to an integration, oldest first, as far back as the
// journal reaches. For "" it returns the deliveries that named no integration. An
// iteration ends at its first error.
func (r *Rack) History(ctx context.Context, integration string) iter.Seq2[Change, error] {
	return r.HistoryAfter(ctx, integration, store.EntryID{})
}

// HistoryAfter returns what happened to an integration after one of its changes, which is
// how a long history is read in pages. What a page costs does not depend on how long the
// history is. If the change was trimmed, or is another integration's, it begins as History
// does.
func (r *Rack) HistoryAfter(ctx context.Context, integration string, after store.EntryID) iter.Seq2[Change, error] {
	integration = r.name(integration)
	return changesOf(join.History(ctx, r.store, integration, after, r.spelled.Of(integration)...))
}

// Changes follows the journal from after a position; start at [Rack.JournalEnd] to see
// only what is new. It yields every committed entry, in the same order on all
// instances, and waits for more at the end. It ends without an error when the context
// ends, and otherwise at its first error. If the store goes back, it begins again where the
// histories part, and the same entries have the same ids. The journal itself is the buffer: a slow
// consumer delays nobody, and misses only what the store trims meanwhile, which is
// store.ErrTrimmed.
func (r *Rack) Changes(ctx context.Context, after store.Position) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		_, forks := r.fork(0)
		for {
			news := r.news.Wait()
			at, now := r.fork(forks)
			after, forks = min(after, at), now
			for c, err := range changesOf(followed{r.store, r}.Journal(ctx, after)) {
				if ctx.Err() != nil {
					return
				}
				if !yield(c, err) || err != nil {
					return
				}
				after = c.Position
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

// followed is the store for those who tell of changes: its journal ends where the view does.
// So a program that hears of a change, and asks then, gets an answer that knows of it.
type followed struct {
	store.Store
	rack *Rack
}

// Journal implements store.Store.
func (s followed) Journal(ctx context.Context, after store.Position) iter.Seq2[store.Entry, error] {
	return func(yield func(store.Entry, error) bool) {
		for e, err := range s.Store.Journal(ctx, after) {
			if err == nil && e.Position > s.rack.history.Position() && s.rack.view.Version(e.Integration) < e.Version {
				return // there is news when the view has it
			}
			if !yield(e, err) {
				return
			}
		}
	}
}

// JournalEnd returns the position of the journal's newest entry, or 0 if it is empty.
func (r *Rack) JournalEnd(ctx context.Context) (store.Position, error) {
	_, last, err := r.store.Bounds(ctx)
	return last, err
}

// firstSince returns the journal's first entry that is not older than an instant; a zero one
// for none. It takes the entries to be in the order of their times, as they nearly are.
func (r *Rack) firstSince(ctx context.Context, oldest lifecycle.Instant) (found store.Entry, err error) {
	first, last, err := r.store.Bounds(ctx)
	if err != nil {
		return found, err
	}
	for low, high := first, last; low < high; {
		middle := low + (high-low)/2
		next, err := r.entryAfter(ctx, middle)
		switch {
		case err != nil:
			return found, err
		case next.Position == 0 || next.At >= oldest:
			high = middle
			if next.Position > 0 {
				found = next
			}
		default:
			low = next.Position
		}
	}
	return found, nil
}

// entryAfter returns the journal's first entry after a position; a zero one for none.
func (r *Rack) entryAfter(ctx context.Context, after store.Position) (store.Entry, error) {
	for e, err := range r.store.Journal(ctx, after) {
		return e, err
	}
	return store.Entry{}, nil
}

// commit commits, and finds out what became of a commit whose outcome the store
// did not tell.
func (r *Rack) commit(ctx context.Context, c store.Commit) (store.Committed, error) {
	stored, err := r.store.Commit(ctx, c)
	if err == nil || refused(err) {
		return stored, err
	}
	if ctx.Err() == nil {
		// Committing the same again is harmless, and tells.
		if again, retried := r.store.Commit(ctx, c); retried == nil || refused(retried) {
			return again, retried
		}
	}
	return stored, fmt.Errorf("keyrack: committing: %w", err)
}

// refused reports whether a commit was refused: then it is known that it changed nothing.
func refused(err error) bool {
	return errors.Is(err, store.ErrConflict) || errors.Is(err, store.ErrOwned)
}

// sealBody returns what the journal keeps of a body: sealed, without persons' names unless
// they are to be kept.
func (r *Rack) sealBody(body []byte, id store.EntryID) ([]byte, error) {
	if !r.options.KeepRequestor && mayNameRequestor(body) {
		var err error
		if body, err = events.WithoutRequestor(body); err != nil {
			return nil, err
		}
	}
	sealed, err := binding.Seal(r.sealer, store.Ref{Entry: id}, body)
	if err != nil {
		return nil, fmt.Errorf("keyrack: sealing: %w", err)
	}
	return sealed, nil
}

// Body returns the body of a delivery for a person to read: redacted as by events.Redact,
// so that no token is in it. What is about a person is in it only if persons is true and
// it was kept (Options.KeepRequestor). The error is ErrNotFound for an entry without a body,
// or one that was erased or trimmed, and the store's or the sealer's otherwise.
func (r *Rack) Body(ctx context.Context, id store.EntryID, persons bool) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.options.storeTimeout())
	defer cancel()
	ref := store.Ref{Entry: id}
	sealed, err := r.store.Sealed(ctx, ref)
	if errors.Is(err, store.ErrNotFound) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("keyrack: reading the body: %w", err)
	}
	body, err := binding.Open(r.sealer, ref, sealed)
	if err != nil {
		r.unopened(ctx, "", err)
		return nil, fmt.Errorf("keyrack: opening the body: %w", err)
	}
	r.unopenable.Clear("")
	return events.Redact(body, persons)
}

// mayNameRequestor reports whether there may be a member of that name, in whatever case and
// however it is escaped, with a value other than null. Most bodies need no second reading.
func mayNameRequestor(body []byte) bool {
	if bytes.IndexByte(body, '\\') >= 0 {
		return true
	}
	nobody := []byte(`Requestor":null`) // as Mews writes that it was no person
	for _, q := range []byte("qQ") {    // rare: it is not in a GUID
		for at := 0; ; {
			i := bytes.IndexByte(body[at:], q)
			if i < 0 {
				break
			}
			if at += i + 1; at >= 3 && bytes.EqualFold(body[at-3:at], []byte("req")) && !bytes.HasPrefix(body[at-3:], nobody) {
				return true
			}
		}
	}
	return false
}
