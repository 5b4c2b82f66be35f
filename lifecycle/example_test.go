package lifecycle_test

import (
	"errors"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Most deliveries are applied. The rest are refused, each for a reason that a
// program can tell apart.
func ExampleDecision_Err() {
	at := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	var record lifecycle.Record
	for _, e := range []lifecycle.Evidence{
		{Action: lifecycle.IntegrationReinstated},
		{Action: lifecycle.IntegrationCreated, IsEnabled: lifecycle.Yes, Enterprise: lifecycle.Named{ID: "hotel"}},
		{Action: lifecycle.IntegrationCreated, IsEnabled: lifecycle.Yes, Enterprise: lifecycle.Named{ID: "another hotel"}},
		{Action: lifecycle.IntegrationDeleted},
		{Action: lifecycle.IntegrationEnabled},
	} {
		e.Kind, e.At, e.Integration.ID = lifecycle.KindDelivery, lifecycle.At(at), "integration"
		at = at.Add(time.Hour)

		var decision lifecycle.Decision
		record, decision = record.Apply(e)
		switch err := decision.Err(); {
		case err == nil:
			fmt.Println(decision.Outcome, "in state", decision.To)
		case errors.Is(err, lifecycle.ErrOutOfOrder):
			fmt.Println("too early:", err)
		case errors.Is(err, lifecycle.ErrIllegal):
			fmt.Println("someone should look at this:", err)
		case errors.Is(err, lifecycle.ErrDeleted):
			fmt.Println("too late:", err)
		}
	}
	// Output:
	// too early: lifecycle: IntegrationReinstated in state unseen: out of order
	// applied in state created_enabled
	// someone should look at this: lifecycle: IntegrationCreated in state created_enabled: contradicts what is known (another enterprise)
	// applied in state deleted
	// too late: lifecycle: IntegrationEnabled in state deleted: after deletion
}
