package keyrack

import (
	"context"
	"fmt"
	"iter"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Entry is one thing that happened to an integration, and what became of it.
type Entry struct {
	// Position is its place in the journal, larger for what is newer.
	Position store.Position
	// ID is ours, from the evidence's arrival on: the same for ever, so that
	// whoever acts on entries can tell a repetition.
	ID store.EntryID
	// Integration is empty for a delivery that names none.
	Integration string
	// Version is that of the integration's record afterwards.
	Version  uint64
	At       time.Time
	Evidence lifecycle.Evidence
	Decision lifecycle.Decision
	// Was and Is are the verdict's status on the integration's current token before
	// and after, under the policy of the instance that decided; Reason is why.
	Was, Is lifecycle.Status
	Reason  lifecycle.Reason
	// NewToken: the integration has another current token afterwards, or none.
	NewToken bool
	// Answer is how a delivery was answered; zero where that is not known.
	Answer store.Answer
}

// Changed tells whether the entry changed the verdict's status.
func (e Entry) Changed() bool { return e.Was != e.Is }

// judgement is an entry's decision with what it did to the verdict, as the
// journal keeps it.
type judgement struct {
	Decision jsontext.Value
	Was      lifecycle.Status `json:",omitzero"`
	Is       lifecycle.Status `json:",omitzero"`
	Reason   lifecycle.Reason `json:",omitzero"`
	NewToken bool             `json:",omitzero"`
}

func appendJudgement(b []byte, d lifecycle.Decision, was, is Verdict, newToken bool) []byte {
	b = append(b, `{"Decision":`...)
	b = lifecycle.AppendDecision(b, d)
	b = append(b, `,"Was":"`...)
	b = append(b, was.Status.String()...)
	b = append(b, `","Is":"`...)
	b = append(b, is.Status.String()...)
	b = append(b, `","Reason":"`...)
	b = append(b, is.Reason.String()...)
	b = append(b, '"')
	if newToken {
		b = append(b, `,"NewToken":true`...)
	}
	return append(b, '}')
}

// parseEntry reads an entry of the store's journal.
func parseEntry(e store.Entry) (Entry, error) {
	out := Entry{
		Position: e.Position, ID: e.ID, Integration: e.Integration, Version: e.Version,
		At: e.At.Time(), Answer: e.Answered,
	}
	var j judgement
	if err := json.Unmarshal(e.Decision, &j); err != nil {
		return out, fmt.Errorf("keyrack: entry %v: decision: %w", e.ID, lifecycle.ErrNewer)
	}
	out.Was, out.Is, out.Reason, out.NewToken = j.Was, j.Is, j.Reason, j.NewToken
	var err error
	if out.Decision, err = lifecycle.ParseDecision(j.Decision); err == nil {
		out.Evidence, err = lifecycle.ParseEvidence(e.Evidence)
	}
	if err != nil {
		return out, fmt.Errorf("keyrack: entry %v: %w", e.ID, err)
	}
	return out, nil
}

func parseEntries(entries iter.Seq2[store.Entry, error]) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for stored, err := range entries {
			var e Entry
			if err == nil {
				e, err = parseEntry(stored)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// History returns what happened to an integration, oldest first, as far as the
// journal reaches back; for "", the deliveries that named none. An iteration
// ends at its first error.
func (r *Rack) History(ctx context.Context, integration string) iter.Seq2[Entry, error] {
	return parseEntries(r.store.History(ctx, integration))
}

// Changes follows the journal from after a position, [Rack.Latest] for what is
// new from now on: it yields every entry, in the one order in which all
// instances see them, waits for more at the end, and ends with the context,
// without an error, or at its first error. Each entry comes after its commit. The
// journal itself is the buffer: a slow consumer holds up nobody and loses
// nothing but what the store trims meanwhile, which is store.ErrTrimmed.
func (r *Rack) Changes(ctx context.Context, after store.Position) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		for {
			news := r.news.wait()
			for e, err := range parseEntries(r.store.Journal(ctx, after)) {
				if ctx.Err() != nil {
					return
				}
				if !yield(e, err) || err != nil {
					return
				}
				after = e.Position
			}
			select {
			case <-news:
			case <-ctx.Done():
				return
			}
		}
	}
}

// Latest returns the position of the journal's newest entry, 0 where it is empty.
func (r *Rack) Latest(ctx context.Context) (store.Position, error) {
	_, last, err := r.store.Bounds(ctx)
	return last, err
}
