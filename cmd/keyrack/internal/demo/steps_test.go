package demo

import (
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestSteps: the demo shows every action, the outcomes and all three statuses.
func TestSteps(t *testing.T) {
	outcomes := map[lifecycle.Outcome]int{}
	statuses := map[lifecycle.Status]int{}
	for _, s := range steps {
		outcomes[s.want.delivery]++
		statuses[s.want.status]++
	}
	for _, action := range lifecycle.Actions() {
		found := slices.ContainsFunc(steps, func(s step) bool {
			body, err := Body(s.body)
			return err == nil && strings.Contains(string(body), `"`+action.String()+`"`)
		})
		if !found {
			t.Errorf("the demo has no %v", action)
		}
	}
	for _, o := range []lifecycle.Outcome{lifecycle.Applied, lifecycle.Duplicate, lifecycle.Reconciled, lifecycle.Stale} {
		if outcomes[o] == 0 {
			t.Errorf("no step comes to %v", o)
		}
	}
	if len(statuses) != 3 {
		t.Errorf("the demo shows %d of the three statuses", len(statuses))
	}
}

// TestDemoDiffers: a step that goes otherwise than it should ends the demo.
func TestDemoDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		steps []step
		say   string
	}{
		"outcome":    {[]step{differing(func(o *outcome) { o.delivery = lifecycle.Stale })}, "got applied, created_enabled, valid, live, want stale, created_enabled, valid, live"},
		"state":      {[]step{differing(func(o *outcome) { o.state = lifecycle.Deleted })}, "want applied, deleted"},
		"verdict":    {[]step{differing(func(o *outcome) { o.status = lifecycle.Invalid })}, "want applied, created_enabled, invalid, live"},
		"reason":     {[]step{differing(func(o *outcome) { o.reason = lifecycle.ReasonLease })}, "step 1 of the demo"},
		"no token":   {[]step{{body: "enabled.json", token: 1}}, "token 1, which has not arrived"},
		"no webhook": {[]step{{body: "renamed.json", token: 1}}, "step 1, renamed.json"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr testkit.Buffer
			err := run(t.Context(), test.steps, &stdout, slog.New(slog.NewTextHandler(&stderr, nil)))
			if err == nil || !strings.Contains(err.Error(), test.say) {
				t.Errorf("the error should have %q: %v", test.say, err)
			}
			sidecartest.Silent(t, "the output", stdout.String()+stderr.String())
		})
	}
}

func differing(change func(*outcome)) step {
	s := steps[0]
	change(&s.want)
	return s
}

// TestDemoUnread: where nobody can read the demo, it fails.
func TestDemoUnread(t *testing.T) {
	full := errors.New("no space left")
	if err := run(t.Context(), steps, failing{full}, slog.New(slog.DiscardHandler)); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }
