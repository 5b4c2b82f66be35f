package api

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// TestHistoryPages: pages of any size, one after another, are the whole history.
func TestHistoryPages(t *testing.T) {
	p := serveAPI(t, "")
	for _, event := range []string{"created.json", "disabled.json", "disabled.json", "enabled.json", "canceled.json"} {
		p.deliver(t, event)
	}
	get := func(query string) historyPage {
		t.Helper()
		return sidecartest.Read[historyPage](t, sidecartest.Call(t, p.api, "", http.MethodGet, IntegrationsPath+"/"+sidecartest.SampleIntegration+"/history"+query, "", ""))
	}
	whole := get("")
	if len(whole.Changes) != 5 || whole.Next != "" {
		t.Fatalf("%d entries, next %q", len(whole.Changes), whole.Next)
	}
	for limit := 1; limit <= 6; limit++ {
		var all []Change
		pages := 0
		for query := fmt.Sprintf("?limit=%d", limit); ; pages++ {
			one := get(query)
			if n := len(one.Changes); n > limit || n == 0 {
				t.Fatalf("%d entries on a page of %d", n, limit)
			}
			all = append(all, one.Changes...)
			if one.Next == "" {
				break
			}
			query = fmt.Sprintf("?limit=%d&after=%s", limit, one.Next)
		}
		if diff := cmp.Diff(whole.Changes, all); diff != "" || pages != (len(all)-1)/limit {
			t.Errorf("%d pages of %d: %s", pages+1, limit, diff)
		}
	}
	// A cursor is of one kind of page, and good where it came from.
	list := newCursor(idCursor, sidecartest.SampleIntegration)
	for _, wrong := range []string{"?after=" + list, "?after=canary", "?after=" + newCursor(entryCursor, "canary"),
		"?limit=0", "?limit=1001", "?limit=1&limit=2", "?status=valid"} {
		r := sidecartest.Call(t, p.api, "", http.MethodGet, IntegrationsPath+"/"+sidecartest.SampleIntegration+"/history"+wrong, "", "")
		if r.Status != http.StatusBadRequest {
			t.Errorf("%s: answered %d", wrong, r.Status)
		}
		sidecartest.Silent(t, wrong, r.Body)
	}
}
