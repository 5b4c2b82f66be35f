package mewstest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// reply is an answer of the Connector API.
type reply struct {
	status     int
	retryAfter string
	requestID  string
	allow      string
	body       struct {
		Enterprise struct {
			ID          string `json:"Id"`
			Name        string
			IsPortfolio bool
		}
		Service *struct {
			ID   string `json:"Id"`
			Name string
		}
		Message   string
		RequestID string `json:"RequestId"`
	}
	err error
}

func send(mews *mewstest.World, method, path, contentType, body string) (r reply) {
	req, err := http.NewRequest(method, "https://api.mews-demo.com"+path, strings.NewReader(body))
	if err != nil {
		return reply{err: err}
	}
	req.Header.Set("Content-Type", contentType)
	client := &http.Client{Transport: mews.Connector(), Timeout: 10 * time.Second}
	res, err := client.Do(req)
	if err != nil {
		return reply{err: err}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return reply{err: err}
	}
	r = reply{status: res.StatusCode, retryAfter: res.Header.Get("Retry-After"), requestID: res.Header.Get("Request-Id"), allow: res.Header.Get("Allow")}
	r.err = json.Unmarshal(text, &r.body)
	return r
}

const getConfiguration = "/api/connector/v1/configuration/get"

func asking(clientToken, accessToken string) string {
	return fmt.Sprintf(`{"ClientToken":%q,"AccessToken":%q,"Client":"Test 1.0"}`, clientToken, accessToken)
}

func ask(mews *mewstest.World, clientToken, accessToken string) reply {
	return send(mews, http.MethodPost, getConfiguration, "application/json", asking(clientToken, accessToken))
}

// connected makes a World with one hotel, and how to ask about any token.
func connected(t *testing.T, options mewstest.Options, test func(mews *mewstest.World, hotel *mewstest.Integration, ask func(token string) reply)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&options)
		hotel := mews.Connect("Alpenrose")
		test(mews, hotel, func(token string) reply { return ask(mews, mews.Connector().ClientToken().Reveal(), token) })
	})
}

// TestConfiguration: what a token that works is answered.
func TestConfiguration(t *testing.T) {
	connected(t, mewstest.Options{}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
		r := ask(hotel.Token())
		if r.status != 200 || r.body.Enterprise.ID != hotel.Enterprise().ID() || r.body.Enterprise.Name != "Alpenrose" || r.body.Service != nil || r.requestID == "" {
			t.Errorf("%+v", r)
		}
		spa := mews.ConnectAs(mewstest.Connection{Hotel: "Alpenrose", Service: "Spa"})
		if r := ask(spa.Token()); r.body.Service == nil || r.body.Service.Name != "Spa" || r.body.Enterprise.ID != hotel.Enterprise().ID() {
			t.Errorf("%+v", r)
		}
		chain := mews.ConnectAs(mewstest.Connection{Hotel: "Chain", Portfolio: []string{"Alpenrose", "Edelweiss"}})
		if r := ask(chain.Token()); !r.body.Enterprise.IsPortfolio || r.body.Enterprise.Name != "Chain" {
			t.Errorf("%+v", r)
		}
		of := func(i *mewstest.Integration, enterprise string) reply {
			body := strings.TrimSuffix(asking(mews.Connector().ClientToken().Reveal(), i.Token()), "}") + fmt.Sprintf(`,"EnterpriseId":%q}`, enterprise)
			return send(mews, http.MethodPost, getConfiguration, "application/json; charset=utf-8", body)
		}
		if r := of(chain, hotel.Enterprise().ID()); r.status != 200 || r.body.Enterprise.Name != "Alpenrose" {
			t.Errorf("%+v", r)
		}
		if r := of(hotel, chain.Enterprise().ID()); r.status != 400 {
			t.Errorf("%+v", r)
		}
	})
}

// TestUnauthorized: every reason for a 401, and that it ends.
func TestUnauthorized(t *testing.T) {
	for name, tt := range map[string]struct {
		off, on func(*mewstest.World, *mewstest.Integration)
	}{
		"disabled":            {func(_ *mewstest.World, i *mewstest.Integration) { i.Disable() }, func(_ *mewstest.World, i *mewstest.Integration) { i.Enable() }},
		"disabled in Mews":    {func(_ *mewstest.World, i *mewstest.Integration) { i.DisableInMews() }, func(_ *mewstest.World, i *mewstest.Integration) { i.EnableInMews() }},
		"canceled":            {func(_ *mewstest.World, i *mewstest.Integration) { i.Cancel() }, func(_ *mewstest.World, i *mewstest.Integration) { i.Reinstate() }},
		"enterprise disabled": {func(_ *mewstest.World, i *mewstest.Integration) { i.Enterprise().Disable() }, func(_ *mewstest.World, i *mewstest.Integration) { i.Enterprise().Enable() }},
		"forbidden":           {func(_ *mewstest.World, i *mewstest.Integration) { i.Forbid() }, func(_ *mewstest.World, i *mewstest.Integration) { i.Permit() }},
		"forbidden this":      {func(_ *mewstest.World, i *mewstest.Integration) { i.Forbid("configuration/get") }, func(_ *mewstest.World, i *mewstest.Integration) { i.Permit() }},
		"401 for everyone":    {func(w *mewstest.World, _ *mewstest.Integration) { w.Connector().Break(mewstest.Trouble{Status: 401}) }, func(w *mewstest.World, _ *mewstest.Integration) { w.Connector().Mend() }},
	} {
		t.Run(name, func(t *testing.T) {
			connected(t, mewstest.Options{}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
				tt.off(mews, hotel)
				r := ask(hotel.Token())
				if r.status != 401 || r.body.Message == "" || r.body.RequestID != r.requestID {
					t.Errorf("off: %+v", r)
				}
				tt.on(mews, hotel)
				if r := ask(hotel.Token()); r.status != 200 {
					t.Errorf("on again: %+v", r)
				}
			})
		})
	}
	connected(t, mewstest.Options{}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
		former := hotel.Token()
		hotel.RotateKey()
		if ask(former).status != 401 || ask(hotel.Token()).status != 200 || ask("no token of mine").status != 401 {
			t.Error("tokens: not one works, the current one")
		}
		client := mews.Connector().ClientToken().Reveal()
		mews.Connector().SetClientToken(lifecycle.NewToken("another"))
		r := send(mews, http.MethodPost, getConfiguration, "application/json", asking(client, hotel.Token()))
		if r.status != 401 || ask(hotel.Token()).status != 200 {
			t.Errorf("a dead ClientToken: %+v", r)
		}
		hotel.Forbid("reservations/getAll")
		own := send(mews, http.MethodPost, "/api/connector/v1/reservations/getAll", "application/json", asking("another", hotel.Token()))
		other := send(mews, http.MethodPost, "/api/connector/v1/customers/getAll", "application/json", asking("another", hotel.Token()))
		if own.status != 401 || other.status != 200 || ask(hotel.Token()).status != 200 {
			t.Errorf("a missing permission: %d, %d", own.status, other.status)
		}
		hotel.Delete()
		if ask(hotel.Token()).status != 401 {
			t.Error("a deleted integration's token works")
		}
	})
}

// TestStrict: an invalid request gets no answer about a token.
func TestStrict(t *testing.T) {
	connected(t, mewstest.Options{}, func(mews *mewstest.World, hotel *mewstest.Integration, _ func(string) reply) {
		good := asking(mews.Connector().ClientToken().Reveal(), hotel.Token())
		for name, tt := range map[string]struct {
			method, path, kind, body string
			status                   int
		}{
			"good":             {http.MethodPost, getConfiguration, "application/json", good, 200},
			"get":              {http.MethodGet, getConfiguration, "application/json", "", 405},
			"put":              {http.MethodPut, getConfiguration, "application/json", good, 405},
			"another path":     {http.MethodPost, "/api/connector/v2/configuration/get", "application/json", good, 404},
			"no operation":     {http.MethodPost, "/api/connector/v1/configuration", "application/json", good, 404},
			"a longer path":    {http.MethodPost, getConfiguration + "/", "application/json", good, 404},
			"no content type":  {http.MethodPost, getConfiguration, "", good, 400},
			"a form":           {http.MethodPost, getConfiguration, "application/x-www-form-urlencoded", good, 400},
			"no JSON":          {http.MethodPost, getConfiguration, "application/json", "{", 400},
			"null":             {http.MethodPost, getConfiguration, "application/json", "null", 400},
			"trailing":         {http.MethodPost, getConfiguration, "application/json", good + "{}", 400},
			"broken UTF-8":     {http.MethodPost, getConfiguration, "application/json", good[:len(good)-1] + `,"a":"` + "\xff" + `"}`, 400},
			"no client":        {http.MethodPost, getConfiguration, "application/json", strings.ReplaceAll(good, `"Client":`, `"client":`), 400},
			"no access token":  {http.MethodPost, getConfiguration, "application/json", strings.ReplaceAll(good, "AccessToken", "accessToken"), 400},
			"token as number":  {http.MethodPost, getConfiguration, "application/json", `{"ClientToken":1,"AccessToken":"a","Client":"c"}`, 400},
			"no tokens at all": {http.MethodPost, getConfiguration, "application/json", "{}", 400},
		} {
			if r := send(mews, tt.method, tt.path, tt.kind, tt.body); r.status != tt.status || r.requestID == "" || r.allow != "" != (tt.status == 405) {
				t.Errorf("%s: %+v", name, r)
			}
		}
	})
}

// TestQuota: 200 requests in any 30 seconds, not one more and not one less.
func TestQuota(t *testing.T) {
	connected(t, mewstest.Options{}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
		other := mews.Connect("Edelweiss")
		for n := range 200 {
			if r := ask(hotel.Token()); r.status != 200 {
				t.Fatalf("request %d: %+v", n+1, r)
			}
			time.Sleep(100 * time.Millisecond)
		}
		if r := ask(hotel.Token()); r.status != 429 || r.retryAfter != "10" {
			t.Errorf("the 201st after 20 s: %+v", r)
		}
		if r := ask(other.Token()); r.status != 200 {
			t.Errorf("another token: %+v", r)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		if r := ask(hotel.Token()); r.status != 429 || r.retryAfter != "1" {
			t.Errorf("a moment too early: %+v", r)
		}
		time.Sleep(time.Nanosecond)
		if r := ask(hotel.Token()); r.status != 200 {
			t.Errorf("after 30 s: %+v", r)
		}
		if r := ask(hotel.Token()); r.status != 429 {
			t.Errorf("the window slides, it does not start anew: %+v", r)
		}
	})
	connected(t, mewstest.Options{NoRetryAfter: true}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
		var wg sync.WaitGroup
		var ok, many atomic.Int64
		for range 1000 {
			wg.Go(func() {
				switch r := ask(hotel.Token()); {
				case r.status == 200:
					ok.Add(1)
				case r.status == 429 && r.retryAfter == "":
					many.Add(1)
				}
			})
		}
		wg.Wait()
		if ok.Load() != 200 || many.Load() != 800 {
			t.Errorf("%d let through, %d not", ok.Load(), many.Load())
		}
	})
}

// TestTroubles: by script for the next ones, for one integration, for all; and by chance.
func TestTroubles(t *testing.T) {
	connected(t, mewstest.Options{Latency: mewstest.Spread{Min: 2 * time.Second, Max: 2 * time.Second}}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
		other := mews.Connect("Edelweiss")
		timed := func(token string) (reply, time.Duration) {
			began := time.Now()
			r := ask(token)
			return r, time.Since(began)
		}
		mews.Connector().Fail(
			mewstest.Trouble{Status: 408}, mewstest.Trouble{Status: 429}, mewstest.Trouble{Status: 429, RetryAfter: 90 * time.Second},
			mewstest.Trouble{Status: 503}, mewstest.Trouble{Hang: true}, mewstest.Trouble{Break: true})
		for n, want := range []reply{{status: 408}, {status: 429}, {status: 429, retryAfter: "90"}, {status: 503}} {
			if r, took := timed(hotel.Token()); r.status != want.status || r.retryAfter != want.retryAfter || r.body.Message == "" || took != 2*time.Second {
				t.Errorf("trouble %d: %+v in %s", n, r, took)
			}
		}
		if r, took := timed(hotel.Token()); !errors.Is(r.err, context.DeadlineExceeded) || took != 10*time.Second {
			t.Errorf("a hanging request: %v after %s", r.err, took)
		}
		if r, _ := timed(hotel.Token()); r.err == nil || errors.Is(r.err, context.DeadlineExceeded) {
			t.Errorf("a broken connection: %+v", r)
		}
		hotel.FailRequests(mewstest.Trouble{Status: 500})
		if ask(other.Token()).status != 200 || ask(hotel.Token()).status != 500 || ask(hotel.Token()).status != 200 {
			t.Error("the trouble of one integration befell another, or did not end")
		}
		mews.Connector().Break(mewstest.Trouble{Break: true})
		if ask(other.Token()).err == nil || ask(hotel.Token()).err == nil {
			t.Error("not broken")
		}
		if s := mews.Stats(); s.Requests[0] != 4 || s.Requests[429] != 2 || s.Requests[200] != 2 {
			t.Errorf("%+v", s)
		}
	})
	connected(t, mewstest.Options{Troubles: []mewstest.Chance{{P: 0.2, Trouble: mewstest.Trouble{Status: 503}}, {P: 0.3, Trouble: mewstest.Trouble{Status: 408}}}},
		func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
			for range 1000 {
				ask(hotel.Token())
				time.Sleep(time.Second)
			}
			if s := mews.Stats(); !about(s.Requests[503], 1000, 0.2) || !about(s.Requests[408], 1000, 0.3) || !about(s.Requests[200], 1000, 0.5) {
				t.Errorf("%+v", s)
			}
		})
}

// TestServed: the Connector API on a listener, asked by Keyrack's own client.
// TestTroublesForATime: a chance befalls requests in its windows alone, and moves nothing else.
func TestTroublesForATime(t *testing.T) {
	half := []mewstest.Window{{Start: time.Hour, For: time.Hour}}
	connected(t, mewstest.Options{Troubles: []mewstest.Chance{
		{P: 1, Trouble: mewstest.Trouble{Status: 401}, During: []mewstest.Window{{Start: 4 * time.Hour, For: time.Hour, Every: 24 * time.Hour}}},
		{P: 0.3, Trouble: mewstest.Trouble{Status: 503}, During: half},
	}}, func(mews *mewstest.World, hotel *mewstest.Integration, ask func(string) reply) {
		hours := [30]map[int]int{}
		for n := range hours {
			hours[n] = map[int]int{}
			for range 240 {
				hours[n][ask(hotel.Token()).status]++
				time.Sleep(15 * time.Second)
			}
		}
		for n, got := range hours {
			switch {
			case n == 1 && !about(got[503], 240, 0.3), n == 4 && got[401] < 239, n == 28 && got[401] < 239:
				t.Errorf("hour %d: %v", n, got)
			case n != 1 && n != 4 && n != 5 && n != 28 && n != 29 && got[200] < 239:
				t.Errorf("hour %d, out of the windows: %v", n, got)
			}
		}
	})
}

func TestServed(t *testing.T) {
	mews := mewstest.New(nil)
	hotel := mews.ConnectAs(mewstest.Connection{Hotel: "Alpenrose", Service: "Spa"})
	server := httptest.NewServer(mews.Connector())
	defer server.Close()
	client, err := connector.New(server.URL, mews.Connector().ClientToken(), "Test 1.0", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer client.CloseIdleConnections()
	a, err := client.Probe(t.Context(), lifecycle.NewToken(hotel.Token()), "")
	if err != nil || a.Kind != connector.Accepted || a.Enterprise.ID != hotel.Enterprise().ID() || a.Service.Name != "Spa" {
		t.Errorf("%+v, %v", a, err)
	}
	mews.Connector().Fail(mewstest.Trouble{Break: true})
	if a, err := client.Probe(t.Context(), lifecycle.NewToken(hotel.Token()), ""); err == nil {
		t.Errorf("a broken connection: %+v", a)
	}
	hotel.Delete()
	if a, err := client.Probe(t.Context(), lifecycle.NewToken(hotel.Token()), ""); err != nil || a.Kind == connector.Accepted {
		t.Errorf("%+v, %v", a, err)
	}
}
