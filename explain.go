package keyrack

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/internal/join"
	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Explanation says why a verdict is what it is. It holds no secret.
type Explanation struct {
	At      time.Time
	Verdict Verdict
	// Token is the digest of the token that is explained; zero where there is none.
	Token lifecycle.Digest
	// Record is what is known of the integration; zero for an unfamiliar token.
	Record Record
	// Changes is what happened, oldest first, as far back as the journal reaches.
	Changes []Change
	// Probe says what is asked, if there is a prober.
	Probe ProbeState
	// Advice is a sentence for support staff: what the verdict's reason means, and what to do.
	Advice string
	// WouldChange says what would change the verdict. Empty for a moment of the past.
	WouldChange []string
	// Said is what the journal says was told of the current token by At, by the policy of
	// that time; Since is from when on the journal knows. Explain leaves both out.
	Said  *Standing
	Since time.Time
}

// ProbeState is where an integration stands in the schedule of probes of this
// instance. Without a prober, and on an instance that leaves the asking to
// another, it is zero.
type ProbeState struct {
	Asked    time.Time // when the latest request began; zero if none since the start
	Attempts int       // in a row that settled nothing
	InFlight bool
	Due      time.Time // of the next; zero where none is planned
}

// Explain says why the verdict on an integration's current token is what it is.
// The error is ErrNotFound, or the store's.
func (r *Rack) Explain(ctx context.Context, integration string) (Explanation, error) {
	record := r.view.Record(lifecycle.CanonicalID(integration))
	if record == nil {
		return Explanation{}, ErrNotFound
	}
	key, _ := record.CurrentKey()
	return r.explain(ctx, record, key.Digest, r.shown(r.verdict(record, r.clock.Instant())))
}

// ExplainToken says why the verdict on a token is what it is. A token that nobody
// knows is explained, too. The error is the store's.
func (r *Rack) ExplainToken(ctx context.Context, token string) (Explanation, error) {
	digest := r.digester.Sum(token)
	record := r.view.Owner(digest)
	if record == nil {
		return Explanation{At: r.clock.Now().UTC(), Token: digest, Advice: advice[lifecycle.ReasonUnfamiliar], WouldChange: change(Verdict{}, r.schedule != nil)}, nil
	}
	return r.explain(ctx, record, digest, r.shown(r.verdictOn(record, digest, r.clock.Instant())))
}

// At says how an integration stood at a moment, and why: as Explain would have said it
// then, but by the policy of today. Said has what was told at the time. The record is
// folded anew from what the journal has left. At is the moment, Changes ends with the last
// entry by then, and Probe is zero.
//
// The error is ErrNotFound where nothing was known of the integration then, or the journal
// was trimmed since; in the latter case Since of the Explanation says how far back it
// reaches. It is ErrInvalid for a moment that is yet to come, and the store's otherwise.
func (r *Rack) At(ctx context.Context, integration string, t time.Time) (Explanation, error) {
	if t.After(r.clock.Now()) {
		return Explanation{}, fmt.Errorf("%w: the moment is yet to come", ErrInvalid)
	}
	at := lifecycle.At(t)
	e, err := r.fold(ctx, integration, func(one store.Entry) bool { return one.At <= at }, at)
	if err == nil {
		e.At = t.UTC()
		e.Verdict = r.verdict(&e.Record, at)
		e.Advice = advice[e.Verdict.Reason]
	}
	return e, err
}

// ExplainAt is [Rack.At] for the moment right after an entry of the journal, which tells
// entries of the same time apart. At is the time of the last entry that counts.
func (r *Rack) ExplainAt(ctx context.Context, integration string, at store.Position) (Explanation, error) {
	e, err := r.fold(ctx, integration, func(one store.Entry) bool { return one.Position != 0 && one.Position <= at }, 0)
	if err == nil {
		e.At = e.Changes[len(e.Changes)-1].At.UTC()
		e.Verdict = r.verdict(&e.Record, lifecycle.At(e.At))
		e.Advice, e.WouldChange = advice[e.Verdict.Reason], change(e.Verdict, r.schedule != nil)
	}
	return e, err
}

// fold returns an integration as it was after the last entry that counts. At is a time by
// which it counts that nothing came since the journal was trimmed; 0 for none.
func (r *Rack) fold(ctx context.Context, integration string, counts func(store.Entry) bool, at lifecycle.Instant) (e Explanation, err error) {
	id := r.name(integration)
	latest := r.view.Record(id)
	if latest == nil {
		return e, ErrNotFound
	}
	stored, err := r.store.Load(ctx, id)
	if err != nil {
		return e, fmt.Errorf("keyrack: loading: %w", err)
	}
	record := Record{ID: id}
	if stored.BaseVersion > 0 {
		if record, err = lifecycle.ParseRecord(stored.Base); err != nil {
			return e, fmt.Errorf("keyrack: loading: %w", err)
		}
		e.Since = record.AsOf().Time()
	}
	known := stored.BaseVersion > 0 && at != 0 && record.AsOf() <= at
	r.answers.Flush()
	entries := make([]store.Entry, 0, min(latest.Version, defaultRetentionEntries))
	last := -1
	for one, err := range join.History(ctx, r.store, id, store.EntryID{}, r.spelled.Of(id)...) {
		if err != nil {
			return e, fmt.Errorf("keyrack: reading the journal: %w", err)
		}
		if e.Since.IsZero() {
			e.Since = one.At.Time()
		}
		if entries = append(entries, one); counts(one) {
			last = len(entries) - 1
		}
	}
	if last < 0 && !known {
		return Explanation{Since: e.Since}, ErrNotFound
	}
	e.Changes = make([]Change, 0, last+1)
	for _, one := range entries[:last+1] {
		c, err := changeOf(one)
		if err != nil {
			return e, fmt.Errorf("keyrack: reading the journal: %w", err)
		}
		e.Changes = append(e.Changes, c)
		if one.Integration != id || one.Version <= record.Version {
			continue // under a former spelling, or part of the snapshot
		}
		if one.Version != record.Version+1 {
			return Explanation{Since: e.Since}, ErrNotFound // it was trimmed meanwhile
		}
		record, _ = record.Apply(c.Evidence)
		e.Said = &Standing{c.Is, c.Reason}
	}
	key, _ := record.CurrentKey()
	e.Token, e.Record = key.Digest, record
	return e, nil
}

func (r *Rack) explain(ctx context.Context, record *Record, token lifecycle.Digest, v Verdict) (Explanation, error) {
	e := Explanation{
		At: r.clock.Now().UTC(), Verdict: v, Token: token, Record: view.Copy(record),
		Advice: advice[v.Reason], WouldChange: change(v, r.schedule != nil),
	}
	if r.schedule != nil {
		e.Probe = ProbeState(r.schedule.State(record.ID))
	}
	r.answers.Flush() // so that it is known how the latest were answered
	e.Changes = make([]Change, 0, min(record.Version, defaultRetentionEntries))
	for c, err := range r.History(ctx, record.ID) {
		if err != nil {
			return e, fmt.Errorf("keyrack: reading the journal: %w", err)
		}
		e.Changes = append(e.Changes, c)
	}
	return e, nil
}

// advice has a sentence for support staff for each reason.
var advice = map[lifecycle.Reason]string{
	lifecycle.ReasonUnfamiliar:         "No hotel is known to have this token: compare it with the one that Mews shows, and connect the hotel or import it.",
	lifecycle.ReasonLive:               "The connection works: if calls fail all the same, look at the permissions of the operation in Mews.",
	lifecycle.ReasonDeleted:            "The hotel deleted the integration in Mews: ask the hotel to connect anew.",
	lifecycle.ReasonSuperseded:         "The hotel has a newer token: use that one, and look for a copy of this one in your own systems.",
	lifecycle.ReasonCanceled:           "The integration was canceled in Mews: ask the hotel to reinstate it, or to connect anew.",
	lifecycle.ReasonDisabled:           "The integration was disabled in Mews: ask the hotel to enable it.",
	lifecycle.ReasonRejected:           "Mews refuses the token: ask the hotel whether the integration is enabled and whether its token was regenerated, and import the token that Mews shows.",
	lifecycle.ReasonDisputed:           "The token may belong to another hotel: hand it out to nobody, and compare the enterprise with what the hotel sees in Mews.",
	lifecycle.ReasonDeletedAccepted:    "Mews said that the integration was deleted, and its token works: ask the hotel, and import the integration again if it is still wanted.",
	lifecycle.ReasonUnseen:             "The webhook that brings the token has not come: ask the hotel to regenerate the token, or import it.",
	lifecycle.ReasonSuspectKey:         "Several tokens came close together: ask Mews now, or import the token that Mews shows.",
	lifecycle.ReasonSuspectCanceled:    "Webhooks about a cancellation came in an unclear order: ask Mews now, or settle it by what the hotel sees in Mews.",
	lifecycle.ReasonSuspectEnabled:     "Webhooks about enabling came in an unclear order: ask Mews now, or settle it by what the hotel sees in Mews.",
	lifecycle.ReasonDoubted:            "Something has cast doubt on the token: wait for Mews's answer, or ask Mews now.",
	lifecycle.ReasonUnattributed:       "Mews answered 401, perhaps about your ClientToken: check the ClientToken first, and then ask the hotel.",
	lifecycle.ReasonLease:              "Nothing was heard for too long: check that Mews can be asked and that webhooks come, and ask Mews now.",
	lifecycle.ReasonUnavailable:        "The store failed or a token cannot be read: look at the log, and run keyrack doctor.",
	lifecycle.ReasonRejectedOnce:       "Mews refused the token once: wait for the second answer, which comes by itself.",
	lifecycle.ReasonUnproved:           "Mews has not confirmed the token yet: wait a minute, and if it stays so check that Mews can be asked.",
	lifecycle.ReasonSupersededUnproved: "A newer token came that Mews has not confirmed yet: wait a minute, and if it stays so check that Mews can be asked.",
	lifecycle.ReasonNameless:           "The hotel was connected by its token alone, and webhooks came about one that it may be: say which integration it is.",
	lifecycle.ReasonForked:             "The store went back in time, as a restored back-up does: ask Mews now, or import the token that Mews shows.",
}

// change says what would change a verdict.
func change(v Verdict, prober bool) []string {
	probe := "a 200 that the application reports proves the token"
	if prober {
		probe = "the next probe settles it"
	}
	switch v.Reason {
	case lifecycle.ReasonUnfamiliar:
		return []string{"an IntegrationCreated or IntegrationApiKeyCreated that brings the token", "an import by hand"}
	case lifecycle.ReasonLive:
		return []string{"IntegrationDisabled, IntegrationCanceled or IntegrationDeleted", "IntegrationApiKeyCreated, for this token", "a 401"}
	case lifecycle.ReasonDeleted:
		return []string{"only an import by hand reopens a deleted integration"}
	case lifecycle.ReasonSuperseded:
		return []string{"only a probe that rejects the newer token and accepts this one, or an import by hand"}
	case lifecycle.ReasonCanceled:
		return []string{"IntegrationReinstated", probe}
	case lifecycle.ReasonDisabled:
		return []string{"IntegrationEnabled", probe}
	case lifecycle.ReasonRejected:
		return []string{"a later 200"}
	case lifecycle.ReasonDisputed:
		return []string{"a probe whose answer names the integration's own enterprise"}
	case lifecycle.ReasonUnseen:
		return []string{"IntegrationCreated", probe, "an import by hand"}
	case lifecycle.ReasonSuspectKey:
		return []string{probe, "an IntegrationApiKeyCreated more than a horizon after the others"}
	case lifecycle.ReasonSuspectCanceled:
		return []string{probe, "IntegrationCanceled or IntegrationReinstated more than a horizon after the last of them"}
	case lifecycle.ReasonSuspectEnabled:
		return []string{probe, "IntegrationEnabled or IntegrationDisabled more than a horizon after the last of them, and after an IntegrationReinstated"}
	case lifecycle.ReasonNameless:
		return []string{"an IntegrationCreated, IntegrationApiKeyCreated or import that brings the token", "a person who says which integration it is"}
	case lifecycle.ReasonUnattributed:
		return []string{"a 200 for this token", "a 200 for another one within a minute of this one's 401: then it is this token's own"}
	}
	return []string{probe}
}

// String returns the explanation as text for a person, in lines.
func (e Explanation) String() string {
	var b strings.Builder
	v := e.Verdict
	if !e.Since.IsZero() {
		fmt.Fprintf(&b, "as of        %s; known since %s\n", e.At.Format(time.RFC3339), e.Since.Format(time.RFC3339))
	}
	fmt.Fprintf(&b, "%v (%v)", v.Status, v.Reason)
	if v.Assumed {
		b.WriteString(", assumed")
	}
	if v.Trouble {
		b.WriteString(", as before Mews refused whatever it was asked")
	}
	if v.Status == lifecycle.Unknown {
		fmt.Fprintf(&b, ", best guess %v", v.Guess())
	}
	b.WriteString("\n")
	if e.Said != nil && e.Said.Status != v.Status {
		fmt.Fprintf(&b, "told then    %v (%v), by another policy\n", e.Said.Status, e.Said.Reason)
	}
	if e.Record.ID != "" {
		fmt.Fprintf(&b, "integration  %s", e.Record.ID)
		if e.Record.Name != "" {
			fmt.Fprintf(&b, " %q", e.Record.Name)
		}
		b.WriteString("\n")
		if e.Record.Enterprise.ID != "" {
			fmt.Fprintf(&b, "enterprise   %s %q\n", e.Record.Enterprise.ID, e.Record.Enterprise.Name)
		}
		if e.Record.Labels != "" {
			fmt.Fprintf(&b, "labels       %s\n", strings.ReplaceAll(string(e.Record.Labels), ",", " "))
		}
		if e.Record.Succeeds != "" {
			fmt.Fprintf(&b, "succeeds     %s\n", e.Record.Succeeds)
		}
		fmt.Fprintf(&b, "state        %v\n", e.Record.State)
		if at := v.Evidence.At; at != 0 {
			fmt.Fprintf(&b, "evidence     %v, %v ago\n", describe(v.Evidence), lifecycle.At(e.At).Sub(at).Round(time.Second))
		}
		for _, k := range e.Record.Keys {
			fmt.Fprintf(&b, "token %v  %v since %v", k.Digest, k.Status, firstTime(k.Until, k.Since))
			if k.Answer != lifecycle.NoAnswer {
				fmt.Fprintf(&b, ", %v at %v", k.Answer, k.Began)
			}
			b.WriteString("\n")
		}
	}
	for _, c := range e.Changes {
		b.WriteString("  " + c.String() + "\n")
	}
	switch p := e.Probe; {
	case p.InFlight:
		fmt.Fprintf(&b, "probe        under way since %v\n", p.Asked.UTC().Format(time.RFC3339))
	case !p.Due.IsZero():
		fmt.Fprintf(&b, "next probe   %v\n", p.Due.UTC().Format(time.RFC3339))
	}
	if e.Advice != "" {
		fmt.Fprintf(&b, "advice       %s\n", e.Advice)
	}
	for i, change := range e.WouldChange {
		fmt.Fprintf(&b, "%-13s%s\n", [...]string{"to change", ""}[min(i, 1)], change)
	}
	return b.String()
}

func describe(basis lifecycle.Basis) string {
	if basis.Kind == lifecycle.KindDelivery {
		return basis.Action.String()
	}
	return basis.Kind.String()
}

func firstTime(a, b lifecycle.Instant) lifecycle.Instant {
	if a != 0 {
		return a
	}
	return b
}
