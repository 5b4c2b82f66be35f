package lifecycle

import (
	"errors"
	"fmt"
)

// The reasons for which evidence is refused. The error of [Decision.Err] wraps one of
// them; test with errors.Is.
var (
	// ErrIllegal: the evidence contradicts what is known (outcome Conflict).
	ErrIllegal = errors.New("contradicts what is known")
	// ErrOutOfOrder: an earlier event is missing (outcome Parked).
	ErrOutOfOrder = errors.New("out of order")
	// ErrDeleted: the integration is deleted (outcome Stale).
	ErrDeleted = errors.New("after deletion")
	// ErrFenced: a delivery arrived after the request began (outcome Fenced).
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
	// Applied: the record changed, usually its state too.
	Applied
	// Duplicate: already known; remembered for the horizon.
	Duplicate
	// Parked: an earlier event is missing; remembered until it comes.
	Parked
	// Reconciled: the late half of a pair whose early half came as a duplicate. The
	// two cancel out.
	Reconciled
	// Stale: it came after the deletion.
	Stale
	// Conflict: it contradicts what is known, and changed nothing else.
	Conflict
	// Fenced: an answer that is older than the latest delivery.
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

// The causes of decisions. Journals keep them, so a text never changes.
const (
	noCause = ""
	// causeEnterprise: it names another enterprise than the integration's.
	causeEnterprise = "another enterprise"
	// causeCreatedUtc: it names another time of creation.
	causeCreatedUtc = "another CreatedUtc"
	// causeDeletedUtc: it names another time of deletion.
	causeDeletedUtc = "another DeletedUtc"
	// causeDeletedBeforeCreated: the deletion would precede the creation. The
	// integration is deleted nevertheless.
	causeDeletedBeforeCreated = "DeletedUtc before CreatedUtc"
	// causeSecondToken: a second IntegrationCreated, with another token; both
	// are candidates.
	causeSecondToken = "a second token"
	// causeOwned: the token belongs to another integration already.
	causeOwned = "token owned by another integration"
	// causeContested: another integration came with this one's token.
	causeContested = "token contested by another integration"
	// causeTooManyKeys: more tokens at once than a record holds; this one is not kept.
	causeTooManyKeys = "too many tokens"
	// causeRotatedBefore: IntegrationCreated came after a newer token; its own
	// went straight to superseded.
	causeRotatedBefore = "rotated before"
	// causeRival: another new token came within the horizon; both are candidates.
	causeRival = "rival token"
	// causeSwapped: the former token works and the new one does not, so the former is
	// current again.
	causeSwapped = "tokens swapped back"
	// causeDeletedAccepted: a token works although the integration is deleted: the
	// deletion was forged, or Mews lags.
	causeDeletedAccepted = "works though deleted"
	// causeUnknownToken: the answer is about a token that the record does not hold.
	causeUnknownToken = "unknown token"
	// causeReopened: an import reopened a deleted integration.
	causeReopened = "reopened by hand"
	// causeIntegration: it is about another integration.
	causeIntegration = "another integration"
	// causeYielded: an unproved enterprise, named by an IntegrationCreated, was replaced by
	// the one that Mews confirmed.
	causeYielded = "an unproved enterprise gave way"
	// causeTooManyLabels: it would have more than 16 labels.
	causeTooManyLabels = "too many labels"
	// causeNamed: the nameless integration has a name by now, under which it goes on.
	causeNamed = "named meanwhile"
)

// Decision is what [Record.Apply] decided about a piece of evidence.
type Decision struct {
	Outcome Outcome `json:",omitzero"`
	// Cause says in a few words why the evidence was refused, or what else it did; empty
	// for no particular cause. It is one of a fixed set of texts, quotes nothing, and never
	// changes.
	Cause string `json:",omitzero"`
	From  State  `json:",omitzero"`
	To    State  `json:",omitzero"`
	// Action is the delivery's; ActionUnknown for other evidence.
	Action Action `json:",omitzero"`
	// Alarm: a person should look at it. Deliveries may be forged, or two sources of
	// the truth contradict each other.
	Alarm bool `json:",omitzero"`
}

// Err returns nil if the evidence was applied, a duplicate or reconciled. Otherwise its
// error wraps the sentinel of the outcome. The text says what was refused, in which
// state and why, and holds neither tokens nor names.
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

// refusedError is a decision that refuses a piece of evidence.
type refusedError struct{ decision Decision }

func (e *refusedError) Error() string {
	d := e.decision
	what := "evidence"
	if d.Action != ActionUnknown {
		what = d.Action.String()
	}
	s := fmt.Sprintf("lifecycle: %s in state %v: %v", what, d.From, d.sentinel())
	if d.Cause != noCause {
		s += " (" + d.Cause + ")"
	}
	return s
}

func (e *refusedError) Unwrap() error { return e.decision.sentinel() }
