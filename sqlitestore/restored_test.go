package sqlitestore_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/stamp"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestRestoredUnderInstances: .restore of SQLite puts an earlier state into the file that two
// instances have open. They notice, and what they know beyond it they write down.
func TestRestoredUnderInstances(t *testing.T) {
	program, err := exec.LookPath("sqlite3")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("sqlite3 is missing, and with it the test of .restore")
	} else if err != nil {
		t.Skip("sqlite3 is missing")
	}
	path := filepath.Join(fastDir(t), "keyrack.db")
	sealer := seal.Ephemeral()
	var racks []*keyrack.Rack
	for range 2 {
		rack, err := keyrack.Open(t.Context(), mustOpen(t, path, nil), &keyrack.Options{Sealer: sealer, Poll: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = rack.Close() })
		racks = append(racks, rack)
	}
	deliver := func(body string) {
		t.Helper()
		if _, err := racks[0].Deliver(t.Context(), []byte(body)); err != nil {
			t.Fatal(err)
		}
	}
	const hotel = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
	const other = "9e5e84e9-974d-4f16-9662-ab2200f27cb2"
	deliver(`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"` + hotel + `"}}}`)
	deliver(`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"` + other + `"}}}`)
	s := mustOpen(t, path, nil)
	if err := s.Backup(t.Context(), path+".backup"); err != nil {
		t.Fatal(err)
	}
	deliver(`{"Action":"IntegrationDeleted","Data":{"Integration":{"Id":"` + hotel + `"}}}`)
	testkit.Eventually(t, "both know of the deletion", func() bool {
		return racks[1].CheckIntegration(hotel).Reason == lifecycle.ReasonDeleted
	})
	if out, err := exec.Command(program, path, ".timeout 20000", ".restore "+path+".backup").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	deliver(`{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"` + other + `"}}}`)
	testkit.Eventually(t, "all are equal, and the deletion is there again", func() bool {
		for stored, err := range s.Scan(t.Context(), "") {
			if err != nil {
				return false
			}
			for _, rack := range racks {
				record, _ := rack.Record(stored.Integration)
				if string(lifecycle.AppendRecord(nil, record)) != string(stamp.Strip(stored.Record)) || rack.CheckIntegration(hotel).Reason != lifecycle.ReasonDeleted {
					return false
				}
			}
		}
		return true
	})
	for finding, err := range atrest.Examine(t.Context(), s, sealer) {
		t.Errorf("%+v, %v", finding, err)
	}
}
