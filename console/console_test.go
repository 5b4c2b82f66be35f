package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

var ordinary = names{"Channel manager", "Hotel Lark", "Rooms"}

// TestEveryPageIsWhole: every page is well-formed, has one heading, a title and the strict
// headers, and every link on it is relative and leads to a page.
func TestEveryPageIsWhole(t *testing.T) {
	d := newDesk(t, nil)
	d.aLife(1, ordinary)
	d.deliver([]byte(`{"Action":"IntegrationEnabled","Data":{}}`))
	followed := map[string]bool{}
	for _, path := range d.pages() {
		w := d.get(path)
		page := w.Body.String()
		shape(t, page)
		if strings.Count(page, "<h1") != 1 || !strings.Contains(page, "· Keyrack</title>") || !strings.Contains(page, "<main") {
			t.Errorf("%s has no heading, title or main part", path)
		}
		want := http.StatusOK
		switch {
		case strings.HasPrefix(path, "/no"), path == "/integration", strings.HasSuffix(path, "=unknown"):
			want = http.StatusNotFound
		}
		if w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
		for name, value := range map[string]string{
			"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
			"X-Content-Type-Options":  "nosniff", "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8",
		} {
			if got := w.Header().Get(name); got != value {
				t.Errorf("%s: %s is %q", path, name, got)
			}
		}
		for _, bad := range []string{"<script", "<style", " style=", " onclick=", "javascript:", "ZgotmplZ", "http://", "https://"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s has %q in it", path, bad)
			}
		}
		base, err := url.Parse("http://console.test" + path)
		if err != nil {
			t.Fatal(err)
		}
		for _, link := range links.FindAllStringSubmatch(page, -1) {
			to, err := base.Parse(strings.ReplaceAll(link[1], "&amp;", "&"))
			if err != nil || strings.HasPrefix(link[1], "/") {
				t.Errorf("%s: %q is no relative link", path, link[1])
				continue
			}
			if strings.HasPrefix(link[1], "#") {
				continue
			}
			if to.Fragment = ""; followed[to.RequestURI()] || to.Path == "/find" {
				continue
			}
			followed[to.RequestURI()] = true
			if w := d.get(to.RequestURI()); w.Code != http.StatusOK {
				t.Errorf("%s leads to %s, which answers %d", path, to.RequestURI(), w.Code)
			}
		}
	}
	if len(followed) < 30 {
		t.Errorf("only %d links were followed", len(followed))
	}
}

// TestAnyPrefix: under any prefix every link stays under it.
func TestAnyPrefix(t *testing.T) {
	d := newDesk(t, nil)
	d.aLife(1, ordinary)
	for _, prefix := range []string{"", "/console", "/a/b/c"} {
		var mux http.ServeMux
		mux.Handle(prefix+"/", http.StripPrefix(prefix, d.page))
		for _, path := range d.pages() {
			req := httptest.NewRequest(http.MethodGet, "http://console.test"+prefix+path, nil)
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, req)
			for _, link := range links.FindAllStringSubmatch(w.Body.String(), -1) {
				if to, err := req.URL.Parse(link[1]); err != nil || !strings.HasPrefix(to.Path, prefix+"/") {
					t.Errorf("%s: %s leads to %v", req.URL, link[1], to)
				}
			}
		}
	}
}

// TestNothingSecret: no token, no secret and no person is on any page, and persons are
// shown only to whom the host allows it.
func TestNothingSecret(t *testing.T) {
	for _, persons := range []bool{false, true} {
		d := newDesk(t, func(o *console.Options) {
			o.Visitor = func(*http.Request) console.Visitor { return console.Visitor{Name: "desk", Persons: persons} }
		})
		d.aLife(1, ordinary)
		d.deliver([]byte(`{"Action":"SomethingElse","Data":{"accessToken":"` + tokenCanary + `-stray","Name":"` + tokenCanary + `-stray"}}`))
		shown := false
		for _, path := range append(d.pages(), "/integrations?q="+tokenCanary) {
			w := d.get(path)
			for _, canary := range []string{tokenCanary, secretCanary} {
				if strings.Contains(w.Body.String(), canary) {
					t.Errorf("%s shows %s", path, canary)
				}
			}
			shown = shown || strings.Contains(w.Body.String(), emailCanary)
		}
		if shown != persons {
			t.Errorf("persons allowed: %v; shown: %v", persons, shown)
		}
	}
}

// TestFind: a token, an id or a name leads to its integration, and what was typed gets into
// no address unless it is a part of a name.
func TestFind(t *testing.T) {
	d := newDesk(t, nil)
	for n := range 3 {
		d.deliver(created(n, names{"Channel", "Hotel Lark " + string(rune('A'+n)), ""}))
	}
	for typed, want := range map[string]string{
		"":                           "./integrations",
		"  " + tokenCanary + "1\n":   "./integration?id=" + id(1, 1),
		`"` + tokenCanary + `2"`:     "./integration?id=" + id(1, 2),
		strings.ToUpper(id(1, 2)):    "./integration?id=" + id(1, 2),
		id(2, 0):                     "./integration?id=" + id(1, 0),
		"lark b":                     "./integration?id=" + id(1, 1),
		"LARK":                       "./integrations?q=LARK",
		"a token that nobody knows":  "",
		tokenCanary + "-of-a-former": "",
	} {
		w := d.do(http.MethodPost, "/find", url.Values{"q": {typed}}, nil)
		if got := w.Header().Get("Location"); got != want || (w.Code == http.StatusNotFound) != (want == "") {
			t.Errorf("%q leads to %q with %d, want %q", typed, got, w.Code, want)
		}
		if want == "" && strings.Contains(w.Body.String(), typed) {
			t.Errorf("%q is shown again", typed)
		}
	}
}

// TestEveryReasonHasASentence: a verdict is never shown without its reason in words.
func TestEveryReasonHasASentence(t *testing.T) {
	n := 0
	for reason := lifecycle.Reason(0); ; reason++ {
		var again lifecycle.Reason
		if again.UnmarshalText([]byte(reason.String())) != nil {
			break
		}
		n++
		text := console.Sentence(lifecycle.Verdict{Reason: reason}, time.Now())
		if strings.Contains(text, "does not know") || !strings.HasSuffix(text, ".") {
			t.Errorf("%v: %q", reason, text)
		}
	}
	if n < 20 {
		t.Errorf("only %d reasons", n)
	}
}

// TestListByLabel: labels stand on an integration's page, lead to the list of all that have
// one, and are found by the search. Other text finds everything and is not shown.
func TestListByLabel(t *testing.T) {
	d := newDesk(t, nil)
	for n := range 3 {
		d.deliver(created(n+1, ordinary))
		d.label(n+1, map[string]string{"tenant": []string{"4711", "4711", "4712"}[n]})
	}
	if page := d.get("/integration?id=" + id(1, 1)).Body.String(); !strings.Contains(page, `<a class="label" href="./integrations?label=tenant%3D4711"><code>tenant=4711</code></a>`) {
		t.Errorf("the integration's page does not show its label:\n%s", page)
	}
	for query, want := range map[string]int{
		"label=tenant%3D4711": 2, "label=tenant%3D4712": 1, "label=tenant%3D471": 0, "label=env%3D": 0, "q=tenant%3D4712": 1,
		"label=canary-of-a-token": 3,
	} {
		page := d.get("/integrations?" + query).Body.String()
		if got := strings.Count(page, `<div class="who">`); got != want || strings.Contains(page, "canary") {
			t.Errorf("%s shows %d integrations, not %d", query, got, want)
		}
	}
	page := d.get("/deliveries?show=by-hand").Body.String()
	if !strings.Contains(page, "labels changed by hand") {
		t.Error("the journal does not show who set labels by hand")
	}
}
