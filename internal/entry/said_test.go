package entry_test

import (
	"testing"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestSaid: who and why come back as they were, also when the body was made fit for a person
// to read, and nobody is named where persons are not shown.
func TestSaid(t *testing.T) {
	for _, c := range [][2]string{{"Kim", "the hotel called"}, {`<b>"Kim"`, "a\nb\\ü\u202e"}, {"", ""}} {
		body, err := entry.Said(c[0], c[1])
		if err != nil {
			t.Fatal(err)
		}
		for persons, want := range map[bool][2]string{true: c, false: {}} {
			read, err := events.Redact(body, persons)
			if err != nil {
				t.Fatal(err)
			}
			who, why := entry.ReadSaid(read)
			if persons && (who != want[0] || why != want[1]) || !persons && c[0] != "" && (who == c[0] || why == c[1]) {
				t.Errorf("%q for persons %v: %q, %q", c, persons, who, why)
			}
		}
	}
	if _, err := entry.Said("\xff", "x"); err == nil {
		t.Error("a text that is not UTF-8 is taken")
	}
	if who, why := entry.ReadSaid([]byte(`{"Action":"IntegrationEnabled"}`)); who+why != "" {
		t.Errorf("a delivery says %q, %q", who, why)
	}
}

// TestByHand: what Mews or the application itself brought is not by hand.
func TestByHand(t *testing.T) {
	for k, want := range map[lifecycle.Kind]bool{
		lifecycle.KindDelivery: false, lifecycle.KindProbe: false, lifecycle.KindReport: false, lifecycle.KindUpgrade: false,
		lifecycle.KindContest: false, lifecycle.KindJoin: false, lifecycle.KindSettle: true, lifecycle.KindControl: true, lifecycle.KindImport: true,
	} {
		if got := entry.ByHand(k); got != want {
			t.Errorf("%v: %v", k, got)
		}
	}
}
