package main

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/simulation"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestSimulateFlags: what makes no sense, or would not end, is refused with the flag's
// name.
func TestSimulateFlags(t *testing.T) {
	for flag, change := range map[string]func(*simulate){
		"":                     func(*simulate) {},
		"--duplicates":         func(s *simulate) { s.options.Duplicates = math.NaN() },
		"--losses":             func(s *simulate) { s.options.Losses = 1.01 },
		"--reorder":            func(s *simulate) { s.options.Reorder = -0.1 },
		"--count":              func(s *simulate) { s.options.Hotels = mostHotels + 1 },
		"--rate must":          func(s *simulate) { s.options.Rate = math.NaN() },
		"--duration must":      func(s *simulate) { s.options.Duration = mostDuration + 1 },
		"--lag":                func(s *simulate) { s.options.Lag = 0 },
		"--connector-addr":     func(s *simulate) { s.connector = "0.0.0.0:8082"; s.options.ClientToken = lifecycle.NewToken("t") },
		clientTokenVariable:    func(s *simulate) { s.connector = "127.0.0.1:8082" },
		"--within":             func(s *simulate) { s.options.Within = -1 },
		"--rate or --duration": func(s *simulate) { s.options.Hotels, s.options.Rate = 100, 1 },
	} {
		s := simulate{options: simulation.Options{Hotels: 5, Rate: 10, Duration: 10 * time.Second, Lag: time.Second, Within: time.Second}}
		change(&s)
		err := s.check()
		if (err == nil) != (flag == "") || err != nil && (!errors.As(err, new(usage.Error)) || !strings.Contains(err.Error(), flag)) {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

// TestSimulateVerdict: a sidecar that is wrong with certainty fails the simulation, one that
// does not know does not.
func TestSimulateVerdict(t *testing.T) {
	for _, c := range []struct {
		change func(*simulation.Report)
		want   string
	}{
		{func(*simulation.Report) {}, ""},
		{func(r *simulation.Report) { r.Undecided = 5 }, ""},
		{func(r *simulation.Report) { r.Stats.Discarded = 3; r.Stats.Answers = map[int]int{400: 9} }, "3 webhooks were not accepted; the receiver refused them"},
	} {
		r := simulation.Report{Tokens: 5, Integrations: 5}
		c.change(&r)
		var b strings.Builder
		s := simulate{output: output{format: formatText, w: &b}}
		err := s.tell(r)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", r, err, c.want)
		}
		if !strings.Contains(b.String(), "sidecar   right about 0, unknown about") {
			t.Errorf("the report is\n%s", b.String())
		}
	}
}
