package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

const (
	// defaultAPI is where serve answers if it is told nothing else.
	defaultAPI = "http://127.0.0.1:8081"
	// apiKeyVariable holds the key to the API: in the environment alone, since other
	// users of the machine can read a process's flags.
	apiKeyVariable = "KEYRACK_API_KEY"

	clientTimeout = 30 * time.Second
	// answerLimit is the largest answer that is read, in bytes.
	answerLimit = 64 << 20
)

// clientHelp is in the help of every verb that asks a running receiver.
const clientHelp = `It asks a running receiver: --api, or KEYRACK_API, is the URL of its API, by
default the loopback listener of keyrack serve. Where the receiver wants a key,
KEYRACK_API_KEY has it.`

// client asks the API of a running receiver.
type client struct {
	url string

	base    *url.URL
	key     lifecycle.Token
	carrier http.RoundTripper
	who     string // answers: for people
	close   func()
}

func (c *client) flags(flags *pflag.FlagSet) {
	flags.StringVar(&c.url, "api", defaultAPI, "`URL` of a running receiver's API")
}

// open reads the key, and finds what cannot be meant so. Afterwards close is to be
// called.
func (c *client) open(env environment, warnings io.Writer) error {
	u, err := url.Parse(c.url)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" || u.Fragment != "":
		return usage.Errorf("--api is a URL without a query, such as %s", defaultAPI)
	case u.User != nil:
		return usage.Errorf("--api has a secret in it, which other users of this machine can read; keys come from %s", apiKeyVariable)
	}
	key := env(apiKeyVariable)
	if strings.TrimSpace(key) != key || strings.ContainsAny(key, "\r\n") {
		return usage.Errorf("%s has white space in it, which is hardly meant; take it away", apiKeyVariable)
	}
	if key != "" && u.Scheme == "http" && !api.IsLoopback(u.Host) {
		fmt.Fprintln(warnings, "keyrack: warning: the key to the API goes over the network in clear; use https")
	}
	carrier := newCarrier()
	c.base, c.key, c.carrier, c.who, c.close = u, lifecycle.NewToken(key), carrier, "the receiver", carrier.CloseIdleConnections
	return nil
}

// direct has the client ask an API in this process.
func (c *client) direct(carrier http.RoundTripper, key lifecycle.Token) {
	base := &url.URL{Scheme: "http", Host: "localhost"}
	c.base, c.key, c.carrier, c.who, c.close = base, key, carrier, "the store", func() {}
}

// apiError is an answer of the API's that is not what was asked for.
type apiError struct {
	who    string
	status int
	code   string // by which a program tells
	detail string // for people, fit for a terminal
}

func (e *apiError) Error() string {
	text := fmt.Sprintf("%s answered %d", e.who, e.status)
	if e.detail != "" {
		text += ": " + e.detail
	}
	switch {
	case e.status == http.StatusUnauthorized:
		text += "; set " + apiKeyVariable + " to a key of the receiver's"
	case e.code == "keys_required", e.code == "insufficient_scope":
	case e.status >= 300 && e.status < 400, e.status == http.StatusNotFound && e.code == "":
		text += "; is --api the URL of a receiver's API?"
	case e.status == http.StatusNotFound && e.detail == "there is nothing at this path":
		text += "; it may be of an older version"
	}
	return text
}

// ask makes a request, and returns its answer if that is a 200; its body is to be
// closed. Errors hold neither tokens nor keys nor identifiers.
func (c *client) ask(ctx context.Context, req question) (*http.Response, error) {
	to := strings.TrimRight(c.base.String(), "/") + "/" + strings.Join(req.path, "/")
	if len(req.query) > 0 {
		to += "?" + req.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, req.method, to, bytes.NewReader(req.body))
	if err != nil {
		return nil, errors.New("the request cannot be made")
	}
	for name, value := range req.header {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", "keyrack/"+version())
	if !c.key.IsZero() {
		r.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	resp, err := c.carrier.RoundTrip(r) // which follows no redirection
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		return nil, fmt.Errorf("nobody answers at --api (%w); is keyrack serve running?", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	failed := &apiError{who: c.who, status: resp.StatusCode}
	var p api.Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, api.BodyLimit)).Decode(&p); err == nil {
		failed.code, failed.detail = plain(p.Code), plain(p.Detail)
	}
	return nil, failed
}

// question is a request to the API.
type question struct {
	method string
	path   []string // segments, escaped
	query  url.Values
	header map[string]string
	body   []byte
}

// get asks for JSON and returns it as it came.
func (c *client) get(ctx context.Context, query url.Values, path ...string) (json.RawMessage, error) {
	return c.do(ctx, question{method: http.MethodGet, path: path, query: query})
}

// do makes a request and returns the JSON that it is answered with.
func (c *client) do(ctx context.Context, q question) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, clientTimeout)
	defer cancel()
	resp, err := c.ask(ctx, q)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	switch {
	case ctx.Err() != nil:
		return nil, ended(ctx)
	case err != nil:
		return nil, errors.New("the receiver's answer broke off; try again")
	case !json.Valid(body):
		return nil, errors.New("the receiver's answer is not JSON; is --api the URL of a receiver's API?")
	}
	return body, nil
}

// act posts JSON and returns the JSON that it is answered with.
func (c *client) act(ctx context.Context, value any, path ...string) (json.RawMessage, error) {
	q := question{method: http.MethodPost, path: path, header: map[string]string{"Content-Type": "application/json"}}
	var err error
	if q.body, err = json.Marshal(value); err != nil {
		return nil, errors.New("the request cannot be made")
	}
	return c.do(ctx, q)
}

// introspect asks whether a token is valid.
func (c *client) introspect(ctx context.Context, token lifecycle.Token) (api.Introspection, json.RawMessage, error) {
	answer, err := c.do(ctx, question{
		method: http.MethodPost, path: []string{"v1", "introspect"},
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		body:   []byte(url.Values{"token": {token.Reveal()}}.Encode()),
	})
	if err != nil {
		return api.Introspection{}, nil, err
	}
	i, err := read[api.Introspection](answer)
	return i, answer, err
}

// history asks what happened to an integration: for all of it, oldest first, as it
// came, page by page. An iteration ends at its first error.
func (c *client) history(ctx context.Context, id string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		query := url.Values{"limit": {strconv.Itoa(api.MaxPage)}}
		for {
			answer, err := c.get(ctx, query, ofIntegration(id, "history")...)
			if err != nil {
				yield(nil, err)
				return
			}
			page, err := read[struct {
				Entries []json.RawMessage `json:"entries"`
				Next    string            `json:"next"`
			}](answer)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range page.Entries {
				if !yield(e, nil) {
					return
				}
			}
			if page.Next == "" {
				return
			}
			query.Set("after", page.Next)
		}
	}
}

// ofIntegration is the path of what there is about an integration.
func ofIntegration(id string, what ...string) []string {
	return append([]string{"v1", "integrations", url.PathEscape(id)}, what...)
}

// read reads an answer. One that this version cannot read is another version's.
func read[T any](answer json.RawMessage) (value T, err error) {
	if err := json.Unmarshal(answer, &value); err != nil {
		var zero T
		return zero, errors.New("the receiver's answer has in it what this version does not know; " +
			"keyrack version says which this is, and --format json shows the answer as it came")
	}
	return value, nil
}

// ended says why a context did.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("the receiver did not answer in time")
	}
	return errors.New("interrupted")
}
