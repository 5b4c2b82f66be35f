package console_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// desk is a page on a Rack of its own.
type desk struct {
	*testing.T
	rack *keyrack.Rack
	page *console.Handler
}

// newDesk opens a Rack and a page on it; change may be nil.
func newDesk(t *testing.T, change func(*console.Options)) desk {
	t.Helper()
	return newDeskAsking(t, nil, change)
}

// newDeskAsking is newDesk on a Rack that asks Mews.
func newDeskAsking(t *testing.T, prober connector.Prober, change func(*console.Options)) desk {
	t.Helper()
	return newDeskOn(t, memstore.New(nil), keyrack.Options{KeepRequestor: true, Prober: prober}, change)
}

// newDeskOn is newDesk on a store, with options of the Rack.
func newDeskOn(t *testing.T, s store.Store, o keyrack.Options, change func(*console.Options)) desk {
	t.Helper()
	rack, err := keyrack.Open(context.Background(), s, &o)
	if err != nil {
		t.Fatal(err)
	}
	webhooks, err := rack.Handler([]keyrack.Secret{{Name: "first", Value: keyrack.NewToken(secretCanary)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	options := console.Options{
		Webhooks: webhooks, Settings: []console.Setting{{Name: "--store", Value: "memory", From: "default"}},
	}
	if change != nil {
		change(&options)
	}
	page := console.New(rack, &options)
	d := desk{t, rack, page}
	t.Cleanup(d.close)
	return d
}

// close may be called twice.
func (d desk) close() {
	d.page.Close()
	d.rack.Close()
}

const (
	secretCanary = "canary-secret-of-the-webhook"
	tokenCanary  = "canary-token-0123456789-ABCDEF"
	emailCanary  = "canary.person@example.com"
)

// id returns the nth GUID of a kind.
func id(kind, n int) string { return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n) }

// names are what a hotel brings from outside.
type names struct{ Integration, Enterprise, Service string }

// created returns the body of an IntegrationCreated.
func created(n int, called names) []byte {
	return body("IntegrationCreated", map[string]any{
		"Integration": map[string]any{"Id": id(1, n), "Name": called.Integration},
		"Enterprise":  map[string]any{"Id": id(2, n), "Name": called.Enterprise},
		"Service":     map[string]any{"Id": id(3, n), "Name": called.Service},
		"Requestor":   map[string]any{"Name": "Canary Person", "Email": emailCanary},
		"AccessToken": fmt.Sprint(tokenCanary, n), "IsEnabled": true, "CreatedUtc": "2026-01-02T03:04:05Z",
	})
}

// later returns the body of a later webhook.
func later(action string, n int) []byte {
	return body(action, map[string]any{
		"Integration": map[string]any{"Id": id(1, n), "Name": "Channel"}, "ApiKey": fmt.Sprint(tokenCanary, n, "-new"), "DeletedUtc": "2026-02-02T03:04:05Z",
	})
}

func body(action string, data map[string]any) []byte {
	b, err := json.Marshal(map[string]any{"Action": action, "Data": data})
	if err != nil {
		panic(err)
	}
	return b
}

// deliver delivers bodies.
func (d desk) deliver(bodies ...[]byte) {
	d.Helper()
	for _, b := range bodies {
		if _, err := d.rack.Deliver(context.Background(), b); err != nil {
			d.Fatal(err)
		}
	}
}

// aLife delivers everything that can happen to hotel n.
func (d desk) aLife(n int, called names) {
	d.Helper()
	d.deliver(created(n, called), later("IntegrationDisabled", n), later("IntegrationEnabled", n), later("IntegrationEnabled", n),
		later("IntegrationApiKeyCreated", n), later("IntegrationCanceled", n), later("IntegrationReinstated", n),
		later("SomethingNew", n), later("IntegrationDeleted", n), later("IntegrationEnabled", n))
	d.label(n, map[string]string{"tenant": fmt.Sprint(4710 + n), "env": "prod"})
}

// label sets labels of hotel n.
func (d desk) label(n int, labels map[string]string) {
	d.Helper()
	if _, err := d.rack.Label(context.Background(), id(1, n), labels, nil, "test"); err != nil {
		d.Fatal(err)
	}
}

// get returns the answer to a GET.
func (d desk) get(path string) *httptest.ResponseRecorder {
	return d.do(http.MethodGet, path, nil, nil)
}

// do sends a form, as a browser of the same site would.
func (d desk) do(method, path string, form url.Values, cookies []*http.Cookie) *httptest.ResponseRecorder {
	var content io.Reader
	if form != nil {
		content = strings.NewReader(form.Encode())
	}
	req := httptest.NewRequest(method, "http://console.test"+path, content)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for _, c := range cookies {
		req.AddCookie(c)
	}
	w := httptest.NewRecorder()
	d.page.ServeHTTP(w, req)
	return w
}

// pages are addresses of every kind of page, for a desk where hotel 1 had a life.
func (d desk) pages() []string {
	d.Helper()
	pages := []string{
		"/", "/integrations", "/integrations?status=invalid&reason=deleted&state=deleted&sort=oldest", "/integrations?q=zzz", "/integrations?label=tenant%3D4711", "/integrations?alarm=open",
		"/deliveries", "/deliveries?show=refused", "/deliveries?show=not-understood", "/deliveries?show=stale", "/deliveries?show=contradictory",
		"/deliveries?show=alarms", "/deliveries?show=by-hand", "/deliveries?show=changed", "/subscriptions", "/settings", "/nowhere", "/no/where",
		"/integration?id=" + id(1, 1), "/integration?id=unknown", "/integration",
	}
	for c, err := range d.rack.History(context.Background(), id(1, 1)) {
		if err != nil {
			d.Fatal(err)
		}
		pages = append(pages, fmt.Sprintf("/integration?id=%s&at=%d", id(1, 1), c.Position), fmt.Sprintf("/entry?id=%s&at=%d", id(1, 1), c.Position),
			fmt.Sprintf("/integration?id=%s&before=%d", id(1, 1), c.Position))
	}
	return pages
}

// shape returns the elements of a page with their attributes, but not their text. It fails
// where the page is not well-formed.
func shape(t *testing.T, page string) string {
	t.Helper()
	dec := xml.NewDecoder(strings.NewReader(page))
	dec.Entity = xml.HTMLEntity
	var b strings.Builder
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return b.String()
		}
		if err != nil {
			t.Fatalf("the page is not well-formed: %v\n%s", err, page)
		}
		switch token := token.(type) {
		case xml.StartElement:
			b.WriteString("<" + token.Name.Local)
			for _, a := range token.Attr {
				b.WriteString(" " + a.Name.Local)
			}
			b.WriteString(">")
		case xml.EndElement:
			b.WriteString("</" + token.Name.Local + ">")
		case xml.Comment, xml.ProcInst:
			t.Fatalf("the page has a %T", token)
		}
	}
}

// links are the addresses in a page.
var links = regexp.MustCompile(`(?:href|src|action)="([^"]*)"`)

// answering is a Mews that answers by the token, or refuses everything.
type answering struct{ refuses atomic.Bool }

func (a *answering) Probe(_ context.Context, token lifecycle.Token, _ string) (connector.Answer, error) {
	var n int
	if _, err := fmt.Sscanf(token.Reveal(), tokenCanary+"%d", &n); err != nil || a.refuses.Load() {
		return connector.Answer{Kind: connector.Unauthorized, Status: http.StatusUnauthorized}, nil
	}
	return connector.Answer{Kind: connector.Accepted, Status: http.StatusOK, Enterprise: lifecycle.Named{ID: id(2, n)}}, nil
}
