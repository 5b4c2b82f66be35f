package lifecycle_test

import (
	"errors"
	"testing"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

func TestDecisionErr(t *testing.T) {
	sentinels := []error{ErrIllegal, ErrOutOfOrder, ErrDeleted, ErrFenced, ErrUnknownAction, ErrNewer}
	for outcome, want := range map[Outcome]error{
		Undecided: nil, Applied: nil, Duplicate: nil, Reconciled: nil,
		Parked: ErrOutOfOrder, Stale: ErrDeleted, Conflict: ErrIllegal, Fenced: ErrFenced, Unrecognized: ErrUnknownAction,
	} {
		d := Decision{Outcome: outcome, Cause: CauseEnterprise, From: Enabled, To: Enabled, Action: IntegrationCreated}
		err := d.Err()
		for _, sentinel := range sentinels {
			if errors.Is(err, sentinel) != (sentinel == want) {
				t.Errorf("%v: %v is %v: %v", outcome, err, sentinel, sentinel != want)
			}
		}
		if (err != nil) != (want != nil) {
			t.Errorf("%v: error %v", outcome, err)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, d := range map[string]Decision{
		"lifecycle: IntegrationReinstated in state enabled: out of order": {
			Outcome: Parked, Action: IntegrationReinstated, From: Enabled, To: Enabled},
		"lifecycle: IntegrationCreated in state disabled: contradicts what is known (another enterprise)": {
			Outcome: Conflict, Cause: CauseEnterprise, Action: IntegrationCreated, From: Disabled, To: Disabled},
	} {
		if got := d.Err().Error(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestErrorOfAnAnswer: the refusal of an answer does not speak of an unknown action.
func TestErrorOfAnAnswer(t *testing.T) {
	r := fold(created(Yes, token(0), minute(0)))
	late := probe(&r, token(0), Accepted, minute(1))
	r, _ = r.Apply(delivery(IntegrationDisabled, minute(2)))
	_, d := r.Apply(late)
	if got, want := d.Err().Error(), "lifecycle: evidence in state disabled: a delivery came since the request began"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestCauses tells the texts, since journals are full of them.
func TestCauses(t *testing.T) {
	for text, cause := range map[string]string{
		"another enterprise":                     CauseEnterprise,
		"another CreatedUtc":                     CauseCreatedUtc,
		"another DeletedUtc":                     CauseDeletedUtc,
		"DeletedUtc before CreatedUtc":           CauseDeletedBeforeCreated,
		"a second token":                         CauseSecondToken,
		"token owned by another integration":     CauseOwned,
		"token contested by another integration": CauseContested,
		"too many tokens":                        CauseTooManyKeys,
		"rotated before":                         CauseRotatedBefore,
		"rival token":                            CauseRival,
		"tokens swapped back":                    CauseSwapped,
		"works though deleted":                   CauseDeletedAccepted,
		"unknown token":                          CauseUnknownToken,
		"reopened by hand":                       CauseReopened,
		"another integration":                    CauseIntegration,
		"an unproved enterprise gave way":        CauseYielded,
		"too many labels":                        CauseTooManyLabels,
		"named meanwhile":                        CauseNamed,
	} {
		if cause != text {
			t.Errorf("%q was %q", cause, text)
		}
	}
}
