package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// upstream is Mews as an http.RoundTripper: it remembers the bodies it got.
type upstream struct {
	status int
	moved  string // where it redirects to, once
	bodies []string
	idle   int // how often its idle connections were closed

	meanwhile func() // happens before the answer; nil for nothing

	lengthless bool // the next request may come without a Content-Length
}

func (u *upstream) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if req.ContentLength != int64(len(body)) && !u.lengthless {
		return nil, errors.New("wrong Content-Length")
	}
	u.bodies = append(u.bodies, string(body))
	if u.meanwhile != nil {
		u.meanwhile()
	}
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
		s := memstore.New(nil)
		rack, err := keyrack.Open(context.Background(), s, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		u := &upstream{status: http.StatusOK}
		transport, err := rack.Transport("https://mews.invalid", u)
		if err != nil {
			t.Fatal(err)
		}
		client := &http.Client{Transport: transport}
		test(bench{T: t, Rack: rack, store: s}, u, func(integration, body string) error {
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

// A redirect takes no token to another host, nor to what is not the Connector API, and
// the answer there says nothing of the token.
func TestTransportLeavesOtherHostsAlone(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		u.status = http.StatusUnauthorized
		for where, carries := range map[string]bool{
			"https://mews.invalid/api/connector/v1/moved": true, "/api/connector/v1/moved": true, "https://MEWS.invalid:443/api/connector/v1/moved": true,
			"https://other.invalid/api/connector/v1/x": false, "http://mews.invalid/api/connector/v1/x": false,
			"https://mews.invalid:8443/api/connector/v1/x": false, "https://mews.invalid.example/api/connector/v1/x": false, "/elsewhere": false,
		} {
			u.bodies, u.moved = nil, where
			if err := call("a", `{}`); err != nil || len(u.bodies) != 2 {
				t.Fatalf("to %s: %d requests were sent, %v", where, len(u.bodies), err)
			}
			if strings.Contains(u.bodies[1], tokenText("k")) != carries {
				t.Errorf("to %s: carried the token %t, want %t", where, !carries, carries)
			}
			if reason := b.Check(tokenText("k")).Reason; (reason == lifecycle.ReasonDoubted) != carries {
				t.Errorf("to %s: the answer made the verdict %v", where, reason)
			}
			if carries {
				time.Sleep(keyrack.ReportSlack + time.Second)
				for _, operation := range []string{"anything", "moved"} {
					works := answered("k", http.StatusOK, 0)
					works.Operation = operation
					if _, err := b.Report(context.Background(), works); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
	})
}

// What is watched there, token and all, is the application's own affair.
func TestTransportWatchesThePlatformAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		b := bench{T: t, Rack: rack}
		b.deliver(creation("a", "k", lifecycle.Yes))
		u := &upstream{status: http.StatusUnauthorized}
		transport, err := rack.Transport("https://mews.invalid", u)
		if err != nil {
			t.Fatal(err)
		}
		body := `{"AccessToken":"` + tokenText("k") + `"}`
		for _, c := range []struct {
			url, contentType, body string
			evidence               bool
		}{
			{"https://other.invalid/api/connector/v1/x", "", body, false},
			{"https://mews.invalid/api/distributor/v1/x", "", body, false},
			{"https://mews.invalid/api/connector/v1/x", "text/plain", body, false},
			{"https://mews.invalid/api/connector/v1/x", "application/json", body + strings.Repeat(" ", 1<<20), false},
			{"https://mews.invalid/api/connector/v1/x", "application/json; charset=utf-8", body, true},
		} {
			for _, known := range []bool{true, false} {
				var reader io.Reader = strings.NewReader(c.body)
				if !known {
					reader = io.MultiReader(reader) // of a length that nobody knows
				}
				req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.url, reader)
				if err != nil {
					t.Fatal(err)
				}
				req.ContentLength = int64(len(c.body))
				if !known {
					req.ContentLength = -1
					u.lengthless = true
				}
				if c.contentType != "" {
					req.Header.Set("Content-Type", c.contentType)
				}
				if _, err := transport.RoundTrip(req); err != nil {
					t.Fatal(err)
				}
				u.lengthless = false
				if got := u.bodies[len(u.bodies)-1]; got != c.body {
					t.Errorf("%s: a body of %d bytes arrived as %d", c.url, len(c.body), len(got))
				}
				synctest.Wait()
				if doubted := b.Check(tokenText("k")).Reason == lifecycle.ReasonDoubted; doubted != c.evidence {
					t.Errorf("%s, %q, %d bytes: taken as evidence: %t, want %t", c.url, c.contentType, len(c.body), doubted, c.evidence)
				}
			}
		}
	})
}

func TestTransportRefusesAnAddressThatIsNone(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	for _, address := range []string{"", "api.mews.com", "http://api.mews.com", "https://api.mews.com/api", "https://user@api.mews.com"} {
		if transport, err := rack.Transport(address, nil); !errors.Is(err, keyrack.ErrInvalid) || transport != nil {
			t.Errorf("%q: %v, want ErrInvalid", address, err)
		}
	}
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
	for _, base := range []http.RoundTripper{&u, struct{ http.RoundTripper }{&u}} { // the second cannot
		transport, err := rack.Transport(connector.Production, base)
		if err != nil {
			t.Fatal(err)
		}
		(&http.Client{Transport: transport}).CloseIdleConnections()
	}
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

// TestUnknownIsTried: without a prober the application's own calls are the questions. One
// own 401 locks nobody out: the operation is tried again after 1, 5, 30 min and 2 h, others
// at once, and a 200 settles.
func TestUnknownIsTried(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		time.Sleep(time.Hour)
		u.status = http.StatusUnauthorized
		if err := call("a", `{}`); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Unknown, lifecycle.ReasonDoubted)
		for _, pause := range []time.Duration{time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour} {
			time.Sleep(pause - time.Second)
			if err := call("a", `{}`); !errors.Is(err, keyrack.ErrNotActive) {
				t.Errorf("a second before %v: %v", pause, err)
			}
			time.Sleep(time.Second)
			if err := call("a", `{}`); err != nil {
				t.Errorf("after %v: %v", pause, err)
			}
		}
		time.Sleep(2 * time.Hour)
		u.status = http.StatusOK
		if err := call("a", `{}`); err != nil {
			t.Fatal(err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// TestABurstIsTried: off, and on after 20 minutes with the first sent twice, is Unknown for
// the webhooks; the guess is that it does not work, so it is tried two hours later.
func TestABurstIsTried(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		time.Sleep(time.Hour)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		time.Sleep(20 * time.Minute)
		b.deliver(webhook(lifecycle.IntegrationEnabled, "a", nil))
		time.Sleep(time.Minute)
		b.deliver(webhook(lifecycle.IntegrationDisabled, "a", nil))
		b.is("k", lifecycle.Unknown, lifecycle.ReasonSuspectEnabled)
		time.Sleep(time.Hour)
		if err := call("a", `{}`); !errors.Is(err, keyrack.ErrNotActive) || len(u.bodies) != 0 {
			t.Errorf("after an hour: %v", err)
		}
		time.Sleep(time.Hour)
		if err := call("a", `{}`); err != nil {
			t.Errorf("after two hours: %v", err)
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
		if err := call("a", `{}`); err != nil {
			t.Error(err)
		}
	})
}

// TestUnknownIsNotTried where somebody is asked, nor ever a token that may be another's.
func TestUnknownIsNotTried(t *testing.T) {
	o := newOracle("k")
	o.silent = true
	probing(t, o, func(b bench) {
		b.deliver(creation("a", "k", lifecycle.Yes))
		settle(3 * time.Hour)
		transport, err := b.Transport("https://mews.invalid", &upstream{status: http.StatusOK})
		if err != nil {
			t.Fatal(err)
		}
		ctx := keyrack.WithIntegration(context.Background(), integrationID("a"))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://mews.invalid/api/connector/v1/x", strings.NewReader(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transport.RoundTrip(req); !errors.Is(err, keyrack.ErrNotActive) {
			t.Errorf("sent, though there is a prober: %v", err)
		}
	})
}

// TestOwnCallsReject: a 401 of an operation that worked, between 200s of two other hotels
// within a minute, is about the token, for two hours. Invalid is not sent; then a call tells.
func TestOwnCallsReject(t *testing.T) {
	calling(t, func(b bench, u *upstream, call func(integration, body string) error) {
		for _, name := range []string{"a", "b", "c"} {
			b.deliver(creation(name, "key of "+name, lifecycle.Yes))
		}
		time.Sleep(time.Hour)
		answer := func(name string, status int) {
			t.Helper()
			time.Sleep(10 * time.Second)
			u.status = status
			if err := call(name, `{}`); err != nil {
				t.Fatal(err)
			}
		}
		answer("a", http.StatusOK)
		answer("b", http.StatusOK)
		answer("a", http.StatusUnauthorized)
		b.is("key of a", lifecycle.Unknown, lifecycle.ReasonDoubted)
		answer("c", http.StatusOK)
		b.is("key of a", lifecycle.Invalid, lifecycle.ReasonRejected)
		for _, name := range []string{"b", "c"} {
			b.is("key of "+name, lifecycle.Valid, lifecycle.ReasonLive)
		}
		if err := call("a", `{}`); !errors.Is(err, keyrack.ErrNotActive) {
			t.Errorf("sent, though Invalid: %v", err)
		}
		time.Sleep(2 * time.Hour)
		b.is("key of a", lifecycle.Unknown, lifecycle.ReasonDoubted)
		answer("a", http.StatusOK)
		b.is("key of a", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// TestASlowTokenIsTriedAgain: without a prober a new token is slow to work, and the former lives
// on for a while. The new one's 401 lies between 200s of two other hotels, and somebody still
// calls with the former. That does not lock the hotel out: two hours later the new one is tried.
func TestASlowTokenIsTriedAgain(t *testing.T) {
	for _, former := range []time.Duration{time.Minute, time.Hour, 5 * time.Hour, 3 * 24 * time.Hour} {
		for _, others := range []time.Duration{time.Second, 20 * time.Minute} { // between the calls of two hotels
			t.Run(fmt.Sprintf("former for %v, calls %v apart", former, others), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { trySlowToken(t, former, others) })
			})
		}
	}
}

func trySlowToken(t *testing.T, former, apart time.Duration) {
	f := newFleet(t, 3, 1, false, mewstest.Options{Lag: mewstest.AtOnce, Readings: mewstest.Readings{SlowKey: 30 * time.Second, FormerKey: former}})
	defer f.close()
	rack := f.rack(0)
	transport, err := rack.Transport(connector.Demo, f.mews.Connector())
	if err != nil {
		t.Fatal(err)
	}
	call := func(hotel *mewstest.Integration, token string) {
		ctx, carried := keyrack.WithIntegration(t.Context(), hotel.ID()), ""
		if token != "" {
			ctx, carried = t.Context(), fmt.Sprintf(`"AccessToken":%q,`, token)
		}
		body := fmt.Sprintf(`{"ClientToken":%q,%s"Client":"x"}`, f.mews.Connector().ClientToken().Reveal(), carried)
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, connector.Demo+"/api/connector/v1/reservations/getAll", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		if resp, err := transport.RoundTrip(req); err == nil {
			_ = resp.Body.Close()
		} else if !errors.Is(err, keyrack.ErrNotActive) {
			t.Error(err)
		}
		settle(time.Second)
	}
	settle(time.Hour)
	var hotels []*mewstest.Integration
	for h := range f.mews.Integrations() {
		hotels = append(hotels, h)
		call(h, "")
	}
	settle(time.Hour)
	before := hotels[0].Token()
	hotels[0].RotateKey()
	settle(time.Second)
	call(hotels[1], "")
	call(hotels[0], "")
	call(hotels[2], "")
	if v := rack.Check(hotels[0].Token()); v.Reason != lifecycle.ReasonRejected {
		t.Fatalf("the new token's 401 was not attributed: %s", verdictText(v))
	}
	call(hotels[0], before)
	rotated := time.Now()
	for n := 0; time.Since(rotated) < 4*24*time.Hour; n++ {
		for _, h := range hotels {
			call(h, "")
			settle(apart)
		}
		if n%2 == 0 {
			call(hotels[0], before)
		}
		if v := rack.Check(hotels[0].Token()); time.Since(rotated) > 4*time.Hour && v.Status != lifecycle.Valid {
			t.Fatalf("%v after the rotation the new token is %s", time.Since(rotated), verdictText(v))
		}
		settle(20 * time.Minute)
	}
}
