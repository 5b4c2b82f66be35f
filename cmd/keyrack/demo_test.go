package main

import (
	"errors"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	began := time.Now()
	code, stdout, stderr := once(t, nil, "demo")
	if code != exitOK || stderr != "" {
		t.Fatalf("exit code %d, stderr:\n%s", code, stderr)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
	took := regexp.MustCompile(`It took \S+ s\.`)
	golden(t, "demo.txt", took.ReplaceAllString(port.ReplaceAllString(stdout, "127.0.0.1:PORT"), "It took TIME s."))
	silent(t, "stdout", stdout)
}

// TestStory: the story shows what there is to show.
func TestStory(t *testing.T) {
	outcomes := map[lifecycle.Outcome]int{}
	statuses := map[lifecycle.Status]int{}
	for _, s := range story {
		outcomes[s.want.delivery]++
		statuses[s.want.status]++
	}
	for _, action := range lifecycle.Actions() {
		found := slices.ContainsFunc(story, func(s step) bool {
			body, err := bodies.ReadFile("testdata/bodies/" + s.body)
			return err == nil && strings.Contains(string(body), `"`+action.String()+`"`)
		})
		if !found {
			t.Errorf("the story has no %v", action)
		}
	}
	for _, o := range []lifecycle.Outcome{lifecycle.Applied, lifecycle.Duplicate, lifecycle.Reconciled, lifecycle.Stale} {
		if outcomes[o] == 0 {
			t.Errorf("no step comes to %v", o)
		}
	}
	if len(statuses) != 3 {
		t.Errorf("the story shows %d of the three statuses", len(statuses))
	}
}

// TestDemoDiffers: a step that goes otherwise than it should ends the demo.
func TestDemoDiffers(t *testing.T) {
	for name, test := range map[string]struct {
		story []step
		say   string
	}{
		"outcome":    {[]step{differing(func(o *outcome) { o.delivery = lifecycle.Stale })}, "got applied, created_enabled, valid, live, want stale, created_enabled, valid, live"},
		"state":      {[]step{differing(func(o *outcome) { o.state = lifecycle.Deleted })}, "want applied, deleted"},
		"verdict":    {[]step{differing(func(o *outcome) { o.status = lifecycle.Invalid })}, "want applied, created_enabled, invalid, live"},
		"reason":     {[]step{differing(func(o *outcome) { o.reason = lifecycle.ReasonLease })}, "step 1 of the demo"},
		"no token":   {[]step{{body: "enabled.json", token: 1}}, "token 1, which has not come"},
		"no webhook": {[]step{{body: "renamed.json", token: 1}}, "step 1, renamed.json"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr buffer
			err := demo(t.Context(), test.story, &stdout, newLogger(&stderr))
			if err == nil || !strings.Contains(err.Error(), test.say) {
				t.Errorf("the error should have %q: %v", test.say, err)
			}
			silent(t, "the output", stdout.String()+stderr.String())
		})
	}
}

func differing(change func(*outcome)) step {
	s := story[0]
	change(&s.want)
	return s
}

// TestDemoInterrupted: a signal ends a demo that waits.
func TestDemoInterrupted(t *testing.T) {
	p := start(t, nil, "demo")
	for end := time.Now().Add(patience); !strings.Contains(p.stdout.String(), "Later than the horizon, "); {
		if time.Now().After(end) {
			t.Fatal("the demo does not begin to wait")
		}
		time.Sleep(time.Millisecond)
	}
	p.signal()
	if code := p.wait(t); code != exitError || !strings.Contains(p.stderr.String(), "interrupted") {
		t.Errorf("exit code %d:\n%s", code, &p.stderr)
	}
}

// TestDemoUnread: where nobody can read the demo, it fails.
func TestDemoUnread(t *testing.T) {
	full := errors.New("no space left")
	if err := demo(t.Context(), story, failing{full}, newLogger(new(buffer))); !errors.Is(err, full) {
		t.Error(err)
	}
}

type failing struct{ error }

func (f failing) Write([]byte) (int, error) { return 0, f.error }
