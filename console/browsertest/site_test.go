package browsertest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// site is a page over hotels that are made up, mounted in four ways.
type site struct {
	rack   *keyrack.Rack
	mounts []string // addresses, each with a slash at its end
	locked string   // the address of a page where one has to sign in

	nameless string // the id of an integration that no webhook has named
}

const adminKey = "a-key-of-the-desk"

// newSite serves the page at /, under two prefixes, and behind a proxy that strips one.
func newSite(t *testing.T) *site {
	t.Helper()
	digester, err := seal.NewDigester(seal.NewKey())
	if err != nil {
		t.Fatal(err)
	}
	memory, sealer := memstore.New(nil), seal.Ephemeral()
	w := &writer{T: t, store: memory, sealer: sealer, digester: digester, records: map[string]lifecycle.Record{}}
	w.week(time.Now())
	rack, err := keyrack.Open(context.Background(), memory, &keyrack.Options{
		Sealer: sealer, Prober: silent{}, Policy: keyrack.Policy{MaxAge: 30 * 24 * time.Hour},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rack.Close() })
	webhooks, err := rack.Handler([]keyrack.Secret{{Name: "2026", Value: keyrack.NewToken("2026-secret")}, {Name: "2025", Value: keyrack.NewToken("former")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	refuse(webhooks)
	subscribe(t, rack)
	connected, err := rack.Connect(context.Background(), keyrack.Connection{Token: keyrack.NewToken("a-token-that-somebody-pasted-0123456789"), KeepUnproved: true})
	if err != nil {
		t.Fatal(err)
	}
	word := keyrack.Settlement{Enabled: lifecycle.Yes, Who: keyrack.NewToken("Kim at the desk"), Why: keyrack.NewToken("the hotel says that it never switched us off"), By: "desk"}
	if _, err := rack.Settle(context.Background(), id(1, 1), word); err != nil {
		t.Fatal(err)
	}
	options := console.Options{
		Webhooks: webhooks, Settings: settings, Prober: true,
		Visitor: func(*http.Request) console.Visitor { return console.Visitor{Name: "desk", Persons: true} },
		May:     func(console.Visitor, console.Act) bool { return true },
	}
	page := console.New(rack, &options)
	t.Cleanup(func() { page.Close() })
	options.SignIn = func(key string) (console.Visitor, bool) { return console.Visitor{Name: "desk"}, key == adminKey }
	locked := console.New(rack, &options)
	t.Cleanup(func() { locked.Close() })

	var mux http.ServeMux
	mux.Handle("/console/", http.StripPrefix("/console", page))
	mux.Handle("/ops/keyrack/", http.StripPrefix("/ops/keyrack", page))
	mux.Handle("/locked/", http.StripPrefix("/locked", locked))
	mux.Handle("/", page)
	server := httptest.NewServer(&mux)
	t.Cleanup(server.Close)
	target, err := url.Parse(server.URL + "/console")
	if err != nil {
		t.Fatal(err)
	}
	proxy := httptest.NewServer(http.StripPrefix("/outside", &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}))
	t.Cleanup(proxy.Close)
	return &site{rack, []string{server.URL + "/", server.URL + "/console/", server.URL + "/ops/keyrack/", proxy.URL + "/outside/"}, server.URL + "/locked/", connected.Integration}
}

// silent is a Mews that does not answer.
type silent struct{}

func (silent) Probe(context.Context, lifecycle.Token, string) (connector.Answer, error) {
	return connector.Answer{}, errors.New("silence")
}

var settings = []console.Setting{
	{Name: "--store", Value: "sqlite:/var/lib/keyrack/keyrack.db", From: "environment"},
	{Name: "--horizon", Value: "30m0s", From: "default"},
	{Name: "--api-addr", Value: "127.0.0.1:8081", From: "flag"},
	{Name: "KEYRACK_WEBHOOK_SECRET", Value: "set", From: "file"},
}

func subscribe(t *testing.T, rack *keyrack.Rack) {
	t.Helper()
	for _, name := range []string{"billing", "mail-to-the-desk"} {
		handle := func(_ context.Context, c keyrack.Change) error {
			if name == "billing" {
				return nil
			}
			if c.Integration == id(1, 1) {
				return fmt.Errorf("the mail server is away")
			}
			return nil
		}
		if err := rack.Subscribe(name, handle, &keyrack.SubscribeOptions{FromStart: true, Attempts: 1}); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(300 * time.Millisecond)
}

var hotels = []string{
	"Hotel Lark", "Grand Hôtel de la Gare", "Pension Adler", "The Ferry House", "Hotel Praha", "Casa do Rio", "Alpenblick", "ホテル 桜",
	"Seaside Rooms", "Kloster Inn", "Harbour 42", "Villa Aurora", "Le Petit Moulin", "Stadthotel Graz", "فندق النخيل", "Old Post Office",
	strings.Repeat("A hotel with a very long name ", 6), "Nørrebro Stay",
}

// id returns the nth GUID of a kind.
func id(kind, n int) string {
	return fmt.Sprintf("%08x-4f1a-4c3e-9b2d-%012x", kind*0x3a7f0000+n*7919, uint64(n+1)*0x9e3779b97f4a/7)
}

// refuse sends what is refused at the door.
func refuse(webhooks http.Handler) {
	for _, one := range []string{"?Token=wrong", "?Token=wrong", "", "?Token=2026-secret"} {
		webhooks.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodPost, keyrack.DefaultPath+one, strings.NewReader(`{"Action":`)))
	}
}

// view is a page to look at.
type view struct{ name, path string }

// views are all kinds of page.
func (s *site) views(t *testing.T) []view {
	t.Helper()
	var at uint64
	n := 0
	for c, err := range s.rack.History(context.Background(), id(1, 1)) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n == 20 {
			at = uint64(c.Position)
		}
	}
	one := "integration?id=" + id(1, 1)
	return []view{
		{"overview", ""}, {"integrations", "integrations"}, {"integrations-none", "integrations?reason=disputed"},
		{"integration", one}, {"integration-past", fmt.Sprintf("%s&at=%d", one, at)}, {"integration-invalid", "integration?id=" + id(1, 3)},
		{"entry", fmt.Sprintf("entry?id=%s&at=%d", id(1, 1), at)}, {"deliveries", "deliveries"}, {"deliveries-refused", "deliveries?show=refused"},
		{"subscriptions", "subscriptions"}, {"settings", "settings"}, {"nowhere", "nowhere"},
		{"deliveries-by-hand", "deliveries?show=by-hand"},
		{"act-probe", "act?do=probe&id=" + id(1, 1)}, {"act-settle", "act?do=settle&id=" + id(1, 1)}, {"act-import", "act?do=import&id=" + id(1, 3)},
		{"integration-nameless", "integration?id=" + s.nameless}, {"act-label", "act?do=label&id=" + id(1, 1)}, {"act-name", "act?do=name&id=" + s.nameless},
		{"act-forget", "act?do=forget&id=" + id(1, 1)}, {"act-retry", "act?do=retry&sub=mail-to-the-desk"},
	}
}
