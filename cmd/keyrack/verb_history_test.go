package main

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/testkit"
)

// TestHistoryPages: pages of any size, one after another, are the whole history.
func TestHistoryPages(t *testing.T) {
	p := serving(t, nil)
	for _, event := range []string{"created.json", "disabled.json", "disabled.json", "enabled.json", "canceled.json"} {
		deliver(t, p, event)
	}
	get := func(query string) chapter {
		t.Helper()
		return readReply[chapter](t, call(t, p.api, "", http.MethodGet, integrationsPath+"/"+theSample+"/history"+query, "", ""))
	}
	whole := get("")
	if len(whole.Entries) != 5 || whole.Next != "" {
		t.Fatalf("%d entries, next %q", len(whole.Entries), whole.Next)
	}
	for limit := 1; limit <= 6; limit++ {
		var all []entryDocument
		pages := 0
		for query := fmt.Sprintf("?limit=%d", limit); ; pages++ {
			one := get(query)
			if n := len(one.Entries); n > limit || n == 0 {
				t.Fatalf("%d entries on a page of %d", n, limit)
			}
			all = append(all, one.Entries...)
			if one.Next == "" {
				break
			}
			query = fmt.Sprintf("?limit=%d&after=%s", limit, one.Next)
		}
		if diff := cmp.Diff(whole.Entries, all); diff != "" || pages != (len(all)-1)/limit {
			t.Errorf("%d pages of %d: %s", pages+1, limit, diff)
		}
	}
	// A cursor is of one kind of page, and good where it came from.
	list := newCursor(idCursor, theSample)
	for _, wrong := range []string{"?after=" + list, "?after=canary", "?after=" + newCursor(positionCursor, "canary"),
		"?limit=0", "?limit=1001", "?limit=1&limit=2", "?status=valid"} {
		r := call(t, p.api, "", http.MethodGet, integrationsPath+"/"+theSample+"/history"+wrong, "", "")
		if r.status != http.StatusBadRequest {
			t.Errorf("%s: answered %d", wrong, r.status)
		}
		testkit.Silent(t, wrong, r.body)
	}
}
