package keyrack_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// TestRecordsAreTheCallers: a caller may write to a record that it was given, and
// nobody else notices.
func TestRecordsAreTheCallers(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for _, body := range [][]byte{
		creation("a", "k", lifecycle.Yes), rotation("a", "k2"),
		webhook(lifecycle.IntegrationEnabled, "a", nil), // a duplicate, which is remembered
		webhook(lifecycle.IntegrationDisabled, "parked", nil), webhook(lifecycle.IntegrationDisabled, "parked", nil),
	} {
		if _, err := rack.Deliver(t.Context(), body); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{integrationID("a"), integrationID("parked")} {
		for method, records := range map[string]func() []keyrack.Record{
			"Record": func() []keyrack.Record {
				record, _ := rack.Record(id)
				return []keyrack.Record{record}
			},
			"Integrations": func() (all []keyrack.Record) {
				for record := range rack.Integrations() {
					all = append(all, record)
				}
				return all
			},
			"Enterprise": func() []keyrack.Record {
				record, _ := rack.Record(id)
				return rack.Enterprise(record.Enterprise.ID)
			},
			"Explain": func() []keyrack.Record {
				e, err := rack.Explain(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				return []keyrack.Record{e.Record}
			},
			"ExplainToken": func() []keyrack.Record {
				e, err := rack.ExplainToken(t.Context(), tokenText("k"))
				if err != nil {
					t.Fatal(err)
				}
				return []keyrack.Record{e.Record}
			},
		} {
			before, _ := rack.Record(id)
			want := string(lifecycle.AppendRecord(nil, before))
			for _, record := range records() {
				clear(record.Keys)
				clear(record.Parked)
				clear(record.Enabled.Early)
			}
			after, _ := rack.Record(id)
			if diff := cmp.Diff(want, string(lifecycle.AppendRecord(nil, after))); diff != "" {
				t.Fatalf("%s gives the Rack's own memory away (-before +after):\n%s", method, diff)
			}
		}
	}
}
