package lifecycle

import (
	"errors"
	"fmt"
)

// What a caller can tell apart about evidence that was not simply applied.
// [Decision.Err] wraps them; test with errors.Is.
var (
	// ErrIllegal: it contradicts what is known (outcome Conflict).
	ErrIllegal = errors.New("contradicts what is known")
	// ErrOutOfOrder: what should have come before it is missing (outcome Parked).
	ErrOutOfOrder = errors.New("out of order")
	// ErrDeleted: the integration is deleted (outcome Stale).
	ErrDeleted = errors.New("after deletion")
	// ErrFenced: a delivery came since the request began (outcome Fenced).
	ErrFenced = errors.New("a delivery came since the request began")
	// ErrUnknownAction: this version does not know the action (outcome Unrecognized).
	ErrUnknownAction = errors.New("unknown action")
	// ErrNewer: a later version of Keyrack wrote the record or the evidence.
	ErrNewer = errors.New("written by a newer version of keyrack")
)

// Outcome is what became of a piece of evidence. The zero value is no outcome.
type Outcome uint8

const (
	_ Outcome = iota
	// Applied: the record knows more than before, and mostly changed its state.
	Applied
	// Duplicate: known already; remembered for the horizon.
	Duplicate
	// Parked: its predecessor is missing; remembered.
	Parked
	// Reconciled: the late half of a pair whose early half came as a duplicate.
	// The two cancel out, and the pair is suspect.
	Reconciled
	// Stale: it came after the deletion.
	Stale
	// Conflict: it contradicts what is known, and changed nothing else.
	Conflict
	// Fenced: an answer to a question that a later delivery has overtaken.
	Fenced
	// Unrecognized: an action that this version does not know.
	Unrecognized
	numOutcomes
)

var outcomeNames = [numOutcomes]string{
	"undecided", "applied", "duplicate", "parked", "reconciled", "stale", "conflict", "fenced", "unrecognized",
}

// String returns the outcome's name in lower case.
func (o Outcome) String() string { return nameOf(outcomeNames[:], o) }

// MarshalText returns the outcome's name.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (o *Outcome) UnmarshalText(text []byte) error {
	return parseName(outcomeNames[:], o, text, "outcome")
}

// Cause says why a piece of evidence was not simply applied, or what else it
// did. The zero value is no particular cause. Journals keep a cause by what
// [Cause.String] returns, so that text never changes.
type Cause uint8

const (
	noCause Cause = iota
	// causeEnterprise: it names another enterprise than the integration's.
	causeEnterprise
	// causeCreatedUtc: it names another time of creation.
	causeCreatedUtc
	// causeDeletedUtc: it names another time of deletion.
	causeDeletedUtc
	// causeDeletedBeforeCreated: the deletion would precede the creation. The
	// integration is deleted all the same: Deleted absorbs.
	causeDeletedBeforeCreated
	// causeSecondToken: a second IntegrationCreated, with another token; both
	// are candidates.
	causeSecondToken
	// causeOwned: the token belongs to another integration already.
	causeOwned
	// causeContested: another integration came with this one's token.
	causeContested
	// causeTooManyKeys: more tokens at once than a record holds; not kept.
	causeTooManyKeys
	// causeRotatedBefore: IntegrationCreated came after a newer token; its own
	// went straight to superseded.
	causeRotatedBefore
	// causeRival: another new token came within the horizon; both are candidates.
	causeRival
	// causeSwapped: the former token works and the new one does not; they swapped.
	causeSwapped
	// causeDeletedAccepted: a token works although the integration is deleted: a
	// forged deletion, or Mews's lag.
	causeDeletedAccepted
	// causeUnknownToken: the answer is about a token that the record does not hold.
	causeUnknownToken
	// causeReopened: an import reopened a deleted integration.
	causeReopened
	// causeIntegration: it is about another integration.
	causeIntegration
	numCauses
)

var causeNames = [numCauses]string{
	"", "another enterprise", "another CreatedUtc", "another DeletedUtc", "DeletedUtc before CreatedUtc",
	"a second token", "token owned by another integration", "token contested by another integration",
	"too many tokens", "rotated before", "rival token", "tokens swapped back", "works though deleted",
	"unknown token", "reopened by hand", "another integration",
}

// String returns the cause in a few words, or "".
func (c Cause) String() string { return nameOf(causeNames[:], c) }

// MarshalText returns what String returns.
func (c Cause) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText accepts what MarshalText writes; any other name is ErrNewer.
func (c *Cause) UnmarshalText(text []byte) error {
	return parseName(causeNames[:], c, text, "cause")
}

// Decision is what [Record.Apply] made of a piece of evidence.
type Decision struct {
	Outcome Outcome `json:",omitzero"`
	Cause   Cause   `json:",omitzero"`
	From    State   `json:",omitzero"`
	To      State   `json:",omitzero"`
	// Action is the delivery's; ActionUnknown for other evidence.
	Action Action `json:",omitzero"`
	// Alarm: a person should look at it. Somebody may be forging deliveries, or
	// two sources of the truth contradict each other.
	Alarm bool `json:",omitzero"`
}

// Err returns nil where the evidence was applied, known already or reconciled,
// and otherwise an error that wraps the sentinel of the outcome. It says what was
// refused, in which state and why, and holds neither tokens nor names.
func (d Decision) Err() error {
	if sentinel := d.sentinel(); sentinel != nil {
		return &refusedError{d}
	}
	return nil
}

func (d Decision) sentinel() error {
	switch d.Outcome {
	case Conflict:
		return ErrIllegal
	case Parked:
		return ErrOutOfOrder
	case Stale:
		return ErrDeleted
	case Fenced:
		return ErrFenced
	case Unrecognized:
		return ErrUnknownAction
	}
	return nil
}

// refusedError is a decision against a piece of evidence.
type refusedError struct{ decision Decision }

func (e *refusedError) Error() string {
	d := e.decision
	what := "evidence"
	if d.Action != ActionUnknown {
		what = d.Action.String()
	}
	s := fmt.Sprintf("lifecycle: %s in state %v: %v", what, d.From, d.sentinel())
	if d.Cause != noCause {
		s += " (" + d.Cause.String() + ")"
	}
	return s
}

func (e *refusedError) Unwrap() error { return e.decision.sentinel() }
