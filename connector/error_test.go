package connector_test

import (
	"context"
	"errors"
	"testing"

	"github.com/keyrack-dev/keyrack/connector"
)

func TestErrorText(t *testing.T) {
	for _, c := range []struct {
		err  connector.Error
		want string
	}{
		{connector.Error{}, "connector: no answer: unexplained"},
		{connector.Error{Class: connector.Limited}, "connector: no answer: limited"},
		{connector.Error{Class: connector.TimedOut, Status: 200}, "connector: no answer: timed out, status 200"},
		{connector.Error{Class: connector.OtherStatus, Status: 503}, "connector: no answer: status 503"},
		{connector.Error{Class: connector.OtherStatus}, "connector: no answer: other status"},
		{connector.Error{Class: 200}, "connector: no answer: unexplained"},
	} {
		if got := c.err.Error(); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
		if !errors.Is(&c.err, connector.ErrSilent) {
			t.Errorf("%q is not ErrSilent", c.want)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("a cause that may quote anything"))
	_, err := through(t, nil).Probe(ctx, token, "")
	if got := err.Error(); got != "connector: no answer: ended, context canceled" {
		t.Errorf("%q", got)
	}
}

func TestNames(t *testing.T) {
	seen := map[string]bool{}
	for class := connector.Unexplained; class <= connector.Malformed; class++ {
		if s := class.String(); s == "" || seen[s] {
			t.Errorf("class %d is %q", class, s)
		} else {
			seen[s] = true
		}
	}
	for kind, want := range []string{"silent", "accepted", "unauthorized", "unknown"} {
		if got := connector.Kind(kind).String(); got != want {
			t.Errorf("kind %d is %q, want %q", kind, got, want)
		}
	}
}
