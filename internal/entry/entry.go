// Package entry reads and writes what stands in a journal entry.
//
// A store keeps an entry's evidence and decision as bytes:
//
//	Evidence   {"Kind":"delivery", ...}                      lifecycle's encoding
//	Decision   {"Decision":{...},"Was":"valid","Is":"invalid",
//	            "Reason":"disabled","NewToken":true}         this package's
//
// The evidence is what came, and is folded again when a store is examined. The
// decision is kept with what it did to the verdict, because a verdict depends on the
// policy of the instance that decided, which the journal does not have.
//
// An older journal always stays readable. An entry that a later version of Keyrack
// wrote may hold what this one does not know: reading it is lifecycle.ErrNewer.
package entry

import (
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Judgement is a decision with what it did to the verdict on the integration's
// current token.
type Judgement struct {
	Decision lifecycle.Decision
	// Was and Is are the verdict's status before and after, and Reason is the reason
	// of the verdict after.
	Was, Is lifecycle.Status
	Reason  lifecycle.Reason
	// NewToken: the integration has another current token afterwards, or none.
	NewToken bool
	// Labels are the integration's afterwards.
	Labels lifecycle.Labels
}

// Append appends the judgement in the form that a journal keeps, and returns the
// extended buffer.
func (j Judgement) Append(b []byte) []byte {
	d := &j.Decision
	b = append(b, `{"Decision":{`...)
	b = member(b, "Outcome", d.Outcome.String())
	if d.Cause != "" {
		b = member(b, "Cause", d.Cause)
	}
	if d.From != lifecycle.Unseen {
		b = member(b, "From", d.From.String())
	}
	if d.To != lifecycle.Unseen {
		b = member(b, "To", d.To.String())
	}
	if d.Action != lifecycle.ActionUnknown {
		b = member(b, "Action", d.Action.String())
	}
	if d.Alarm {
		b = append(b, `,"Alarm":true`...)
	}
	b = append(b, '}')
	b = member(b, "Was", j.Was.String())
	b = member(b, "Is", j.Is.String())
	b = member(b, "Reason", j.Reason.String())
	if j.NewToken {
		b = append(b, `,"NewToken":true`...)
	}
	if j.Labels != "" {
		b = member(b, "Labels", string(j.Labels))
	}
	return append(b, '}')
}

// member appends a member of the object at the end of b. Nothing in a value that is named
// here needs escaping.
func member(b []byte, name, value string) []byte {
	if b[len(b)-1] != '{' {
		b = append(b, ',')
	}
	b = append(b, '"')
	b = append(b, name...)
	b = append(b, `":"`...)
	b = append(b, value...)
	return append(b, '"')
}

// document is what Append writes.
type document struct {
	Decision lifecycle.Decision
	Was      lifecycle.Status
	Is       lifecycle.Status
	Reason   lifecycle.Reason
	NewToken bool
	Labels   lifecycle.Labels
}

// Parse reads the evidence and the judgement of an entry. An error wraps
// lifecycle.ErrNewer where a later version may have written the entry.
func Parse(e store.Entry) (lifecycle.Evidence, Judgement, error) {
	var d document
	if err := json.Unmarshal(e.Decision, &d); err != nil || d.Decision.Outcome == 0 {
		return lifecycle.Evidence{}, Judgement{}, fmt.Errorf("keyrack: entry %v: decision: %w", e.ID, lifecycle.ErrNewer)
	}
	evidence, err := lifecycle.ParseEvidence(e.Evidence)
	if err != nil {
		return lifecycle.Evidence{}, Judgement{}, fmt.Errorf("keyrack: entry %v: %w", e.ID, err)
	}
	return evidence, Judgement(d), nil
}
