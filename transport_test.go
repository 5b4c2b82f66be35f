package keyrack_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// upstream is Mews as an http.RoundTripper: it remembers the bodies it got.
type upstream struct {
	status int
	moved  string // where it redirects to, once
	bodies []string
	idle   int // how often its idle connections were closed
}

func (u *upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if req.ContentLength != int64(len(body)) {
		return nil, errors.New("wrong Content-Length")
	}
	u.bodies = append(u.bodies, string(body))
	if to := u.moved; to != "" {
		u.moved = ""
		return &http.Response{StatusCode: http.StatusTemporaryRedirect, Header: http.Header{"Location": {to}}, Body: http.NoBody, Request: req}, nil
	}
	return &http.Response{StatusCode: u.status, Body: http.NoBody, Request: req}, nil
}

// An application without a prober, whose own calls are the evidence.
func calling(t *testing.T, test func(b bench, u *upstream, call func(integration, body string) error)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		u := &upstream{status: http.StatusOK}
		client := &http.Client{Transport: rack.Transport(u)}
		test(bench{T: t, Rack: rack}, u, func(integration, body string) error {
			ctx := context.Background()
			if integration != "" {
				ctx = keyrack.WithIntegration(ctx, integrationID(integration))
			}
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://mews.invalid/api/connector/v1/anything", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			resp, err := client.Do(req)
			if err == nil {
				resp.Body.Close()
			}
			synctest.Wait()
			return err
		})
	})
}

// A redirect takes no token to another host.
func TestTransportKeepsTheTokenFromOtherHosts(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		for where, requests := range map[string]int{
			"https://mews.invalid/moved": 2, "/moved": 2, "https://other.invalid/": 1, "http://mews.invalid/": 1, "https://mews.invalid:8443/": 1,
		} {
			u.bodies, u.moved = nil, where
			err := call("a", `{}`)
			if len(u.bodies) != requests || errors.Is(err, keyrack.ErrInvalid) != (requests == 1) {
				t.Errorf("to %s: %d requests were sent, %v", where, len(u.bodies), err)
			}
		}
	})
}

func TestTransportPutsTheTokenIn(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		token := tokenText("k")
		for _, c := range []struct{ body, want string }{
			{`{}`, `{"AccessToken":"` + token + `"}`},
			{` { } `, ` { "AccessToken":"` + token + `"} `},
			{`{"Client":"x 1.0"}`, `{"Client":"x 1.0","AccessToken":"` + token + `"}`},
			{`{"AccessToken" : "old", "Client":"x"}`, `{"AccessToken" : "` + token + `", "Client":"x"}`},
			{`{"Client":{"AccessToken":"inner"},"AccessToken":null}`, `{"Client":{"AccessToken":"inner"},"AccessToken":"` + token + `"}`},
		} {
			if err := call("a", c.body); err != nil {
				t.Fatalf("%s: %v", c.body, err)
			}
			if got := u.bodies[len(u.bodies)-1]; got != c.want {
				t.Errorf("%s became %s, want %s", c.body, got, c.want)
			}
		}
		for _, body := range []string{``, `[]`, `{`, `"text"`} {
			if err := call("a", body); !errors.Is(err, keyrack.ErrInvalid) {
				t.Errorf("a token was put into %q: %v", body, err)
			}
		}
		for _, body := range []string{`[1]`, `{`, `{"AccessToken":"nobody knows it"}`, `not json`} {
			if err := call("", body); err != nil {
				t.Fatal(err)
			}
			if got := u.bodies[len(u.bodies)-1]; got != body {
				t.Errorf("a body that is only watched became %q", got)
			}
		}
	})
}

func TestTransportSendsNothingUnlessValid(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.No))
		b.deliver(creation("d", "l", lifecycle.Yes))
		b.deliver(deletion("d", time.Time{}))
		for integration, reason := range map[string]lifecycle.Reason{
			"a": lifecycle.ReasonDisabled, "d": lifecycle.ReasonDeleted, "nobody": lifecycle.ReasonUnfamiliar,
		} {
			err := call(integration, `{}`)
			var refused *keyrack.NotActiveError
			if !errors.As(err, &refused) || !errors.Is(err, keyrack.ErrNotActive) || refused.Verdict.Reason != reason {
				t.Errorf("%s: %v, want %v", integration, err, reason)
			}
		}
		if len(u.bodies) != 0 {
			t.Errorf("%d requests were sent", len(u.bodies))
		}
	})
}

func (u *upstream) CloseIdleConnections() { u.idle++ }

// http.Client closes its idle connections through whatever its Transport is.
func TestTransportClosesIdleConnections(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	var u upstream
	(&http.Client{Transport: rack.Transport(&u)}).CloseIdleConnections()
	(&http.Client{Transport: rack.Transport(struct{ http.RoundTripper }{&u})}).CloseIdleConnections() // it cannot
	if u.idle != 1 {
		t.Errorf("the base heard of it %d times, want once", u.idle)
	}
}

func TestTransportTakesAnswersAsEvidence(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		time.Sleep(time.Second)
		u.status = http.StatusUnauthorized
		if err := call("a", `{}`); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDoubted)
		watched := `{"AccessToken":"` + tokenText("k") + `"}`
		for _, status := range []int{429, 500, 403} {
			u.status = status
			_ = call("", watched)
			b.is("k", lifecycle.Unknown, lifecycle.ReasonDoubted)
		}
		u.status = http.StatusOK
		if err := call("", watched); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		entries := 0
		for range 100 { // what tells nothing new is not journalled
			if err := call("a", `{}`); err != nil {
				t.Fatal(err)
			}
		}
		for range b.History(context.Background(), integrationID("a")) {
			entries++
		}
		if entries != 3 {
			t.Errorf("%d entries, want the creation, one 401 and one 200", entries)
		}
	})
}

// A 200 to a request that began before a delivery says nothing against it.
func TestTransportAnswersAreFenced(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		began := time.Now()
		time.Sleep(time.Second)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		if _, err := b.Report(context.Background(), tokenText("k"), http.StatusOK, began); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonDisabled)
		time.Sleep(time.Second)
		if _, err := b.Report(context.Background(), tokenText("k"), http.StatusOK, time.Now()); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// A token that works although the deliveries say otherwise is worth an entry an
// hour and no more, however often it is used.
func TestWhatDoesNotSettleIsNotJournalledForEver(t *testing.T) {
	calling(t, func(b bench, _ *upstream, call func(integration, body string) error) {
		b.deliver(creation("superseded", "k", lifecycle.Yes))
		b.deliver(rotation("superseded", "k2"))
		b.deliver(creation("deleted", "l", lifecycle.Yes))
		b.deliver(deletion("deleted", time.Time{}))
		for range 100 {
			time.Sleep(time.Second)
			for _, name := range []string{"k", "l"} {
				if err := call("", `{"AccessToken":"`+tokenText(name)+`"}`); err != nil {
					t.Fatal(err)
				}
			}
		}
		b.is("k", lifecycle.Invalid, lifecycle.ReasonSuperseded)
		b.is("l", lifecycle.Unknown, lifecycle.ReasonDeletedAccepted)
		for _, name := range []string{"superseded", "deleted"} {
			if n := b.entriesOf(name); n != 3 {
				t.Errorf("%d entries of the %s one, want two deliveries and one 200", n, name)
			}
		}
	})
}
