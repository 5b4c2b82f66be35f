package connector_test

import (
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestURL: where each address leads, "" where it is refused.
func TestURL(t *testing.T) {
	const path = "/api/connector/v1/configuration/get"
	for _, c := range []struct{ url, asks string }{
		{connector.Production, "https://api.mews.com" + path},
		{connector.Demo, "https://api.mews-demo.com" + path},
		{"https://api.mews.com/", "https://api.mews.com" + path},
		{"https://api.mews.com:8443", "https://api.mews.com:8443" + path},
		{"HTTPS://api.mews.com", "https://api.mews.com" + path},
		{"https://[2001:db8::1]", "https://[2001:db8::1]" + path},
		{"http://127.0.0.1:8080", "http://127.0.0.1:8080" + path},
		{"http://127.255.0.9", "http://127.255.0.9" + path},
		{"http://[::1]:80", "http://[::1]:80" + path},
		{"http://[::ffff:127.0.0.1]", "http://[::ffff:127.0.0.1]" + path},
		{"http://localhost:8080/", "http://localhost:8080" + path},
		{"http://LocalHost", "http://LocalHost" + path},

		{"", ""},
		{"http://api.mews.com", ""},
		{"http://0.0.0.0", ""},
		{"http://10.0.0.1", ""},
		{"http://128.0.0.1", ""},
		{"http://2130706433", ""}, // 127.0.0.1, to some
		{"http://127.0.0.1.example.com", ""},
		{"http://localhost.example.com", ""},
		{"http://127.0.0.1@example.com", ""},
		{"ftp://api.mews.com", ""},
		{"api.mews.com", ""},
		{"//api.mews.com", ""},
		{"https:api.mews.com", ""},
		{"https:///api", ""},
		{"https://:443", ""},
		{"https://user@api.mews.com", ""},
		{"https://user:hunter2@api.mews.com", ""},
		{"https://api.mews.com?Token=hunter2", ""},
		{"https://api.mews.com?", ""},
		{"https://api.mews.com#hunter2", ""},
		{"https://api.mews.com#", ""},
		{"https://api.mews.com/api", ""},
		{"https://api.mews.com//", ""},
		{"https://api.mews.com/hunter2/..", ""},
		{"https://api.mews.com/%2f", ""},
		{"https://api.mews.com:port", ""},
		{"https://hunter2 .com", ""},
		{"https://hunter2\x7f", ""},
	} {
		var asked string
		client, err := connector.New(c.url, lifecycle.NewToken(clientToken), "Test", &connector.Options{
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				asked = r.URL.String()
				return respond(200, accepted), nil
			}),
		})
		if c.asks == "" {
			if !errors.Is(err, connector.ErrOptions) || client != nil {
				t.Errorf("%q: %v, want ErrOptions", c.url, err)
			} else if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "example") {
				t.Errorf("%q: the error quotes it: %v", c.url, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", c.url, err)
			continue
		}
		if _, err := client.Probe(t.Context(), token, ""); err != nil || asked != c.asks {
			t.Errorf("%q asks %q, want %q (%v)", c.url, asked, c.asks, err)
		}
	}
}

func TestOptions(t *testing.T) {
	for name, c := range map[string]struct {
		token, client string
		opts          *connector.Options
		good          bool
	}{
		"nil options":        {clientToken, "Test", nil, true},
		"zero options":       {clientToken, "Test", new(connector.Options), true},
		"no ClientToken":     {"", "Test", nil, false},
		"odd ClientToken":    {"\xff", "Test", nil, false},
		"no ClientName":      {clientToken, "", nil, false},
		"odd ClientName":     {clientToken, "\xff", nil, false},
		"blank ClientName":   {clientToken, " \t ", nil, false},
		"ClientName, lines":  {clientToken, "Acme\r\nSpa", nil, false},
		"Timeout, below 0":   {clientToken, "Test", &connector.Options{Timeout: -time.Second}, false},
		"Timeout, too short": {clientToken, "Test", &connector.Options{Timeout: 1}, false},
		"Timeout, too long":  {clientToken, "Test", &connector.Options{Timeout: math.MaxInt64}, false},
		"the least Timeout":  {clientToken, "Test", &connector.Options{Timeout: time.Millisecond}, true},
		"the most Timeout":   {clientToken, "Test", &connector.Options{Timeout: 5 * time.Minute}, true},
	} {
		client, err := connector.New(connector.Demo, lifecycle.NewToken(c.token), c.client, c.opts)
		if good := err == nil; good != c.good || good != (client != nil) || !good && !errors.Is(err, connector.ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
		// The error names the option, its value and what is allowed.
		if err != nil && c.opts != nil && !strings.Contains(err.Error(), fmt.Sprintf("Options.Timeout is %v; it must be from 1ms to 5m0s", c.opts.Timeout)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
