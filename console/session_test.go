package console_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/console"
)

const goodKey = "krk_a-key-that-may-read"

// locked is a desk where one has to sign in.
func locked(t *testing.T) desk {
	t.Helper()
	d := newDesk(t, func(o *console.Options) {
		o.SignIn = func(key string) (console.Visitor, bool) { return console.Visitor{Name: "desk"}, key == goodKey }
	})
	d.aLife(1, ordinary)
	return d
}

// TestSignIn: without a session no page shows anything, a wrong key opens nothing, and a
// right one leads to the page that was wanted and to no other site.
func TestSignIn(t *testing.T) {
	d := locked(t)
	for _, path := range d.pages() {
		w := d.get(path)
		if w.Code != http.StatusUnauthorized || strings.Contains(w.Body.String(), "Hotel Lark") || strings.Contains(w.Body.String(), id(2, 1)) {
			t.Errorf("%s shows something without a session: %d", path, w.Code)
		}
		shape(t, w.Body.String())
	}
	if w := d.do(http.MethodPost, "/find", url.Values{"q": {"lark"}}, nil); w.Code != http.StatusUnauthorized || w.Header().Get("Location") != "" {
		t.Errorf("a search without a session: %d, %s", w.Code, w.Header().Get("Location"))
	}
	w := d.do(http.MethodPost, "/signin", url.Values{"key": {"krk_wrong"}, "to": {"settings"}}, nil)
	if w.Code != http.StatusForbidden || len(w.Result().Cookies()) != 0 || strings.Contains(w.Body.String(), "krk_wrong") || !strings.Contains(w.Body.String(), `value="settings"`) {
		t.Errorf("a wrong key: %d\n%s", w.Code, w.Body)
	}
	for to, want := range map[string]string{
		"":                              "./",
		"?":                             "./",
		"settings":                      "./settings",
		"integration?id=" + id(1, 1):    "./integration?id=" + id(1, 1),
		"deliveries?show=a&x=%0d%0aSet": "./deliveries?show=a&x=%0D%0ASet",
		"//evil.example/":               "./",
		"https://evil.example/":         "./",
		"find":                          "./",
		"..":                            "./",
	} {
		w := d.do(http.MethodPost, "/signin", url.Values{"key": {" " + goodKey + "\n"}, "to": {to}}, nil)
		cookies := w.Result().Cookies()
		if w.Code != http.StatusSeeOther || w.Header().Get("Location") != want || len(cookies) != 1 {
			t.Errorf("%q leads to %d, %q", to, w.Code, w.Header().Get("Location"))
			continue
		}
		c := cookies[0]
		if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "" || c.Domain != "" || c.MaxAge != 8*3600 || strings.Contains(c.Value, goodKey) {
			t.Errorf("the cookie is %v", c)
		}
		if w := d.do(http.MethodGet, "/integration?id="+id(1, 1), nil, cookies); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), "Signed in as desk") {
			t.Errorf("with a session: %d", w.Code)
		}
		out := d.do(http.MethodPost, "/signout", url.Values{}, cookies)
		if out.Code != http.StatusSeeOther || d.do(http.MethodGet, "/", nil, cookies).Code != http.StatusUnauthorized {
			t.Error("the session goes on after it was ended")
		}
	}
}

// TestSessionsEnd: a session ends after an hour without a request, and after eight hours in
// any case.
func TestSessionsEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := locked(t)
		begin := func() []*http.Cookie {
			return d.do(http.MethodPost, "/signin", url.Values{"key": {goodKey}}, nil).Result().Cookies()
		}
		code := func(c []*http.Cookie) int { return d.do(http.MethodGet, "/settings", nil, c).Code }
		resting, busy := begin(), begin()
		for n := range 16 {
			time.Sleep(30 * time.Minute)
			want := http.StatusOK
			if n == 15 { // 8 hours
				time.Sleep(time.Second)
				want = http.StatusUnauthorized
			}
			if got := code(busy); got != want {
				t.Errorf("after %d half hours: %d", n+1, got)
			}
		}
		if got := code(resting); got != http.StatusUnauthorized {
			t.Errorf("a session that rested for hours: %d", got)
		}
		first := begin()
		for range 1024 {
			time.Sleep(time.Millisecond)
			begin()
		}
		if got := code(first); got != http.StatusUnauthorized {
			t.Error("sessions are without bound")
		}
	})
}

// TestOtherSites: what another site sends is refused, signed in or not.
func TestOtherSites(t *testing.T) {
	d := locked(t)
	cookies := d.do(http.MethodPost, "/signin", url.Values{"key": {goodKey}}, nil).Result().Cookies()
	for _, path := range []string{"/signin", "/signout", "/find"} {
		for name, header := range map[string][2]string{
			"cross-site": {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site"}, "an origin": {"Origin", "https://evil.example"},
		} {
			req := httptest.NewRequest(http.MethodPost, "http://console.test"+path, strings.NewReader("q=lark&key="+goodKey))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header[0], header[1])
			req.AddCookie(cookies[0])
			w := httptest.NewRecorder()
			d.page.ServeHTTP(w, req)
			if w.Code != http.StatusForbidden || w.Header().Get("Set-Cookie") != "" {
				t.Errorf("%s from %s: %d", path, name, w.Code)
			}
		}
	}
	if w := d.do(http.MethodGet, "/settings", nil, cookies); w.Code != http.StatusOK {
		t.Errorf("the session is gone: %d", w.Code)
	}
}
