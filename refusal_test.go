package keyrack_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
)

// Refusals are counted without end, and remembered up to a few.
func TestRefusedIsBounded(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if status := post(h, fmt.Appendf(nil, "broken %d", i%500)); status != http.StatusBadRequest {
			t.Fatalf("answered %d", status)
		}
	}
	counts, recent := h.Refused()
	if counts[keyrack.RefusedSyntax] != 1000 || len(recent) > 100 {
		t.Errorf("%v, and %d remembered", counts, len(recent))
	}
	digests := map[string]bool{}
	for _, one := range recent {
		digests[one.Digest] = true
	}
	if len(digests) != len(recent) {
		t.Errorf("%d digests for %d bodies", len(digests), len(recent))
	}
	counts[keyrack.RefusedSyntax] = 0 // the caller's own
	if counts, _ := h.Refused(); counts[keyrack.RefusedSyntax] != 1000 {
		t.Error("the counts can be changed from outside")
	}
}
