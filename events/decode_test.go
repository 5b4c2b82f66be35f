package events_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestDecode decodes every body in testdata/bodies. What comes out is to be
// reviewed in testdata/decoded.txt.
func TestDecode(t *testing.T) {
	var got strings.Builder
	for name, body := range bodies(t) {
		fmt.Fprintf(&got, "-- %s --\n", name)
		if e, err := events.Decode(body); err != nil {
			describeError(&got, err)
		} else {
			describe(&got, e)
		}
	}
	testkit.Golden(t, "decoded.txt", got.String())
}

// bodies yields the name and the content of every body in testdata.
func bodies(tb testing.TB) func(yield func(string, []byte) bool) {
	tb.Helper()
	paths, err := filepath.Glob("testdata/bodies/*.json")
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no bodies: %v", err)
	}
	return func(yield func(string, []byte) bool) {
		for _, path := range paths { // sorted
			body, err := os.ReadFile(path)
			if err != nil {
				tb.Fatal(err)
			}
			if !yield(strings.TrimSuffix(filepath.Base(path), ".json"), body) {
				return
			}
		}
	}
}

// describe writes everything that an event holds. Tokens and people are made up.
func describe(w *strings.Builder, e events.Event) {
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	text := func(name, s string) {
		switch {
		case len(s) > 100:
			line(name, "%q... (%d bytes)", s[:20], len(s))
		case s != "":
			line(name, "%q", s)
		}
	}
	named := func(name string, n lifecycle.Named) {
		if n != (lifecycle.Named{}) {
			line(name, "%.40q %q", n.ID, n.Name)
		}
	}
	if g := e.General; g != nil {
		line("General", "%q %q", g.EnterpriseID, g.IntegrationID)
		text("AccessToken", e.AccessToken.Reveal())
		for _, ge := range g.Events {
			line("", "%q %q", ge.Discriminator, ge.ID)
		}
		return
	}
	line("Action", "%v %q", e.Action, e.Name)
	named("Integration", e.Integration)
	named("Enterprise", e.Enterprise)
	named("Service", e.Service)
	text("Requestor", strings.Trim(e.Requestor.Name()+" / "+e.Requestor.Email(), " /"))
	text("AccessToken", e.AccessToken.Reveal())
	text("ApiKey", e.ApiKey.Reveal())
	if !e.CreatedUtc.IsZero() {
		line("CreatedUtc", "%v", e.CreatedUtc)
	}
	if !e.DeletedUtc.IsZero() {
		line("DeletedUtc", "%v", e.DeletedUtc)
	}
	switch e.IsEnabled {
	case lifecycle.Yes:
		line("IsEnabled", "yes")
	case lifecycle.No:
		line("IsEnabled", "no")
	}
	if !e.Raw.IsZero() {
		line("Raw", "%d bytes", len(e.Raw.Bytes()))
	}
	text("Unread", e.Unread)
}

func describeError(w *strings.Builder, err error) {
	answer := "?"
	switch {
	case errors.Is(err, events.ErrSyntax):
		answer = "400"
	case errors.Is(err, events.ErrShape):
		answer = "204"
	}
	fmt.Fprintf(w, "%s: %v\n", answer, err)
	if fault, ok := errors.AsType[*events.Error](err); ok && errors.Is(err, events.ErrShape) {
		describe(w, fault.Partial())
	}
}

// TestSample compares the specification's own body with what it means.
func TestSample(t *testing.T) {
	got, err := events.Decode(spec(t))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(sample(), got); diff != "" {
		t.Errorf("decoded differently (-want +got):\n%s", diff)
	}
}

// TestDecodeKeepsNothing overwrites the body after it was decoded.
func TestDecodeKeepsNothing(t *testing.T) {
	for name, body := range bodies(t) {
		body := bytes.Clone(body)
		first, err := events.Decode(body)
		if err != nil {
			continue
		}
		second, _ := events.Decode(bytes.Clone(body))
		for i := range body {
			body[i] = 'x'
		}
		if !first.Equal(second) {
			t.Errorf("%s: the event changes with the body", name)
		}
	}
}

// TestEveryActionHasItsIntegration: whatever action lifecycle knows, this package reads and
// writes it with its integration, and needs a contract for further properties alone.
func TestEveryActionHasItsIntegration(t *testing.T) {
	for _, a := range lifecycle.Actions() {
		body := fmt.Appendf(nil, `{"Action":%q,"Data":{"Integration":{"Id":"i"},"AccessToken":"t","ApiKey":"k"}}`, a)
		e, err := events.Decode(body)
		if err != nil || e.Action != a || e.Integration.ID != "i" {
			t.Errorf("%v: %v, %v", a, e, err)
		}
		if again, err := events.Encode(e); err != nil || !bytes.Contains(again, []byte(`"Integration":{"Id":"i"`)) {
			t.Errorf("%v: %s, %v", a, again, err)
		}
	}
	beyond := events.Event{Action: lifecycle.IntegrationApiKeyCreated + 100, Integration: lifecycle.Named{ID: "i"}}
	if b, err := events.Encode(beyond); !errors.Is(err, events.ErrShape) || len(b) != 0 {
		t.Errorf("an action that there is not: %s, %v", b, err)
	}
}

// TestStrictAfterLenient: a reader that read leniently once is strict again.
func TestStrictAfterLenient(t *testing.T) {
	for range 100 {
		if _, err := events.WithoutRequestor([]byte(`{"a":1,"a":2}`)); err != nil {
			t.Fatal(err)
		}
		if _, err := events.Decode([]byte(`{"Action":"X","a":1,"a":2}`)); !errors.Is(err, events.ErrSyntax) {
			t.Fatalf("a duplicate name is accepted: %v", err)
		}
	}
}
