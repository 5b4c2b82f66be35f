package connector_test

import (
	"bytes"
	"encoding/base64"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// loud is an error that tells all it can.
type loud struct{ secret string }

func (l loud) Error() string                { return "cannot send " + l.secret }
func (l loud) GoString() string             { return l.Error() }
func (l loud) LogValue() slog.Value         { return slog.StringValue(l.Error()) }
func (l loud) Timeout() bool                { return false }
func (l loud) Temporary() bool              { return false }
func (l loud) Unwrap() error                { return errors.New(l.secret) }
func (l loud) MarshalText() ([]byte, error) { return []byte(l.secret), nil }

// TestCanary has the other side and the transport repeat both tokens wherever
// they can, and looks for them in every form of everything that comes out.
func TestCanary(t *testing.T) {
	both := accessToken + " " + clientToken
	header := http.Header{
		"Request-Id":       {accessToken},
		"Retry-After":      {clientToken},
		"Location":         {"https://example.com/" + accessToken},
		"Date":             {accessToken},
		"Www-Authenticate": {both},
		"Content-Type":     {both},
	}
	everywhere := `{"Message":"` + both + `","Details":"` + both + `","Enterprise":{"Id":"` + accessToken +
		`","Name":"` + both + `"},"Service":{"Id":"` + clientToken + `","Name":"` + both + `"}}`
	names := `{"Enterprise":{"Id":"e","Name":"` + clientToken + `"},"Service":{"Id":"` + accessToken + `"}}`

	var replies []roundTripper
	for _, status := range []int{200, 204, 302, 307, 400, 401, 403, 404, 408, 429, 500, 503} {
		for _, body := range []string{everywhere, names, both, `{"` + both, `{"Enterprise":"` + both + `"}`} {
			replies = append(replies, func(r *http.Request) (*http.Response, error) {
				resp := respond(status, body)
				resp.Header, resp.Status, resp.Request = header, both, r
				return resp, nil
			})
		}
	}
	for _, err := range []error{
		loud{both},
		&url.Error{Op: "Post", URL: "https://example.com/" + both, Err: loud{both}},
		fmt.Errorf("%w: %w", loud{both}, io.ErrUnexpectedEOF),
	} {
		replies = append(replies,
			func(*http.Request) (*http.Response, error) { return nil, err },
			func(*http.Request) (*http.Response, error) {
				resp := respond(200, "")
				resp.Body = io.NopCloser(failing{err})
				return resp, nil
			})
	}

	check := func(what string, v any) {
		for i, form := range forms(v) {
			for _, secret := range []string{accessToken, clientToken} {
				for _, s := range []string{
					secret,
					hex.EncodeToString([]byte(secret)),
					base64.StdEncoding.EncodeToString([]byte(secret))[:60],
				} {
					if strings.Contains(strings.ToLower(form), strings.ToLower(s)) {
						t.Errorf("%s shows a token in form %d: %s", what, i, form)
					}
				}
			}
		}
	}
	limiter := connector.NewLimiter(connector.Limit, connector.Window)
	for i, reply := range replies {
		o := connector.Options{Transport: reply}
		c, err := connector.New(connector.Demo, lifecycle.NewToken(clientToken), "Test", &o)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second may be Limited
			a, err := c.Probe(t.Context(), token, "")
			check(fmt.Sprintf("reply %d's answer", i), a)
			check(fmt.Sprintf("reply %d's error", i), err)
			for err := errors.Unwrap(err); err != nil; err = errors.Unwrap(err) {
				check(fmt.Sprintf("reply %d's inner error", i), err)
			}
		}
		a, err := c.Exchange(t.Context(), token, enterprise)
		check("an answer", a)
		check("an error", err)
		check("Options", o)
		check("*Options", &o)
		check("Client", c)
		check("Limiter", limiter)
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// forms writes a value in every way that a program may write it by accident.
func forms(v any) []string {
	var out []string
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%T"} {
		out = append(out, fmt.Sprintf(verb, v), fmt.Sprintf(verb, []any{v}), fmt.Sprintf(verb, struct{ V any }{v}))
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("m", "v", v, slog.Group("g", "v", v))
	out = append(out, log.String())
	for _, marshal := range []func(any) ([]byte, error){json.Marshal, xml.Marshal} {
		b, err := marshal(v)
		out = append(out, string(b), fmt.Sprint(err))
	}
	var b bytes.Buffer
	err := gob.NewEncoder(&b).Encode(v)
	return append(out, b.String(), fmt.Sprint(err))
}

// FuzzBody: whatever a 200 says, the answer is whole or none, fit to be shown,
// and free of what was sent.
func FuzzBody(f *testing.F) {
	f.Add([]byte(accepted), "0HN8A7")
	f.Add([]byte(`{"Enterprise":{"Id":"\ud83c\udf0d","Name":"","IsPortfolio":true},"Service":{"Id":"s","Name":"n"}}`), "")
	f.Add([]byte(`{"Enterprise":{"Id":"`+accessToken+`"}}`), accessToken)
	f.Add([]byte(`{"Enterprise":{"Id":"\u0000"}}`), "\x1b[2J")
	var body, id string
	c := through(f, func(*http.Request) (*http.Response, error) {
		r := respond(200, body)
		r.Header["Request-Id"] = []string{id}
		return r, nil
	})
	n := 0
	f.Fuzz(func(t *testing.T, b []byte, requestID string) {
		body, id = string(b), requestID
		n++
		// Another token each time, for the limit; the beginning is the canary.
		token := lifecycle.NewToken(fmt.Sprintf("%s%d", accessToken, n))
		a, err := c.Probe(t.Context(), token, "")
		if (err == nil) != (a.Kind == connector.Accepted) || (err == nil) != (a.Enterprise.ID != "") {
			t.Fatalf("%+v, %v", a, err)
		}
		if err != nil {
			wantSilent(t, a, err, connector.Malformed)
		}
		for _, s := range []string{a.Enterprise.ID, a.Enterprise.Name, a.Service.ID, a.Service.Name, a.RequestID} {
			if strings.Contains(s, token.Reveal()) || strings.Contains(s, clientToken) {
				t.Errorf("a token in %+v", a)
			}
			if strings.ContainsFunc(s, unicode.IsControl) || !utf8.ValidString(s) {
				t.Errorf("not fit to be shown: %+q", s)
			}
		}
		if a.Service.ID == "" && a.Service.Name != "" {
			t.Errorf("a name of nobody's: %+v", a)
		}
	})
}
