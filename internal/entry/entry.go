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
	b = append(b, `{"Decision":`...)
	b = lifecycle.AppendDecision(b, j.Decision)
	b = append(b, `,"Was":"`...)
	b = append(b, j.Was.String()...)
	b = append(b, `","Is":"`...)
	b = append(b, j.Is.String()...)
	b = append(b, `","Reason":"`...)
	b = append(b, j.Reason.String()...)
	b = append(b, '"')
	if j.NewToken {
		b = append(b, `,"NewToken":true`...)
	}
	if j.Labels != "" { // nothing in it needs escaping
		b = append(b, `,"Labels":"`...)
		b = append(b, j.Labels...)
		b = append(b, '"')
	}
	return append(b, '}')
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
