package main

import "testing"

// TestMoves: the switch and the declared moves are one machine.
func TestMoves(t *testing.T) {
	states, actions, declared := map[string]bool{}, map[string]bool{}, map[[2]string]string{}
	for _, m := range moves() {
		states[m.from], states[m.to], actions[m.action] = true, true, true
		declared[[2]string{m.from, m.action}] = m.to
	}
	for s := range states {
		for a := range actions {
			want := declared[[2]string{s, a}]
			if want == "" && a != "deleted" {
				want = s
			}
			if a == "deleted" {
				want = "deleted"
			}
			if got := bySwitch(s, a); got != want {
				t.Errorf("%s after %s is %s, want %s", a, s, got, want)
			}
		}
	}
}
