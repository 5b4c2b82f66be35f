package main

import "testing"

// TestHazards: Keyrack falls into none, and each catches somebody or is refused by all.
func TestHazards(t *testing.T) {
	for _, d := range decoders {
		for _, h := range hazards() {
			want := map[bool]string{true: "read", false: "refused"}[h.read]
			if got := fate(h, d.decode); d.name == "keyrack" && got != want {
				t.Errorf("keyrack and %s: %s", h.name, got)
			}
		}
		if quoted := quotes(d.decode); quoted != (d.name != "keyrack") {
			t.Errorf("%s quotes the token: %v", d.name, quoted)
		}
	}
}
