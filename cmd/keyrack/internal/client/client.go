// Package client asks the HTTP API of Keyrack: that of a running sidecar, or one in this
// process on a store at rest.
//
// A Client returns the JSON of an answer as it came, and Decode reads it into the wire
// documents of package api. Any answer but 200 is an *Error. Errors hold no tokens, no
// keys and no identifiers, and say what to do next.
package client

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

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

const (
	// Timeout is how long an answer may take.
	Timeout = 30 * time.Second
	// answerLimit is the largest answer that is read, in bytes.
	answerLimit = 64 << 20
	// KeyVariable holds the key to the API.
	KeyVariable = "KEYRACK_API_KEY"
)

// Client asks an API. It is safe for concurrent use, and is closed after use.
type Client struct {
	base    *url.URL
	key     lifecycle.Token
	carrier http.RoundTripper
	version string
	who     string // answers, for people: the sidecar or the store
}

// New returns a Client for the API at a URL. The key may be zero. version is sent as
// User-Agent.
func New(base *url.URL, key lifecycle.Token, version string) *Client {
	return &Client{base: base, key: key, carrier: NewTransport(), version: version, who: "the sidecar"}
}

// InProcess returns a Client for an API that handler answers in this process.
func InProcess(handler http.Handler, key lifecycle.Token, version string) *Client {
	return &Client{
		base: &url.URL{Scheme: "http", Host: "localhost"}, key: key, carrier: mewstest.Transport(handler), version: version, who: "the store",
	}
}

// Close closes idle connections.
func (c *Client) Close() {
	if idle, ok := c.carrier.(interface{ CloseIdleConnections() }); ok {
		idle.CloseIdleConnections()
	}
}

// Error is any answer but 200.
type Error struct {
	who    string
	Status int
	code   string // for programs
	Detail string // for people, fit for a terminal
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s answered %d", e.who, e.Status)
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	switch {
	case e.Status == http.StatusUnauthorized:
		text += "; set " + KeyVariable + " to an API key of the sidecar"
	case e.code == "keys_required", e.code == "insufficient_scope":
	case e.Status >= 300 && e.Status < 400, e.Status == http.StatusNotFound && e.code == "":
		text += "; check that --api is the URL of a sidecar's API"
	case e.Status == http.StatusNotFound && strings.HasPrefix(e.Detail, "unknown path"):
		text += "; it may be an older version"
	}
	return text
}

// ask sends a request and returns the answer if it is a 200. The caller closes its body.
func (c *Client) ask(ctx context.Context, req request) (*http.Response, error) {
	to := strings.TrimRight(c.base.String(), "/") + "/" + strings.Join(req.path, "/")
	if len(req.query) > 0 {
		to += "?" + req.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, req.method, to, bytes.NewReader(req.body))
	if err != nil {
		return nil, errors.New("the request cannot be built")
	}
	for name, value := range req.header {
		r.Header.Set(name, value)
	}
	r.Header.Set("User-Agent", "keyrack/"+c.version)
	if !c.key.IsZero() {
		r.Header.Set("Authorization", "Bearer "+c.key.Reveal())
	}
	resp, err := c.carrier.RoundTrip(r) // which follows no redirection
	if err != nil {
		if ctx.Err() != nil {
			return nil, ended(ctx)
		}
		return nil, fmt.Errorf("no answer at --api (%w); check that keyrack serve is running there", err)
	}
	if resp.StatusCode == http.StatusOK {
		return resp, nil
	}
	defer resp.Body.Close()
	failed := &Error{who: c.who, Status: resp.StatusCode}
	var p api.Problem
	if err := json.NewDecoder(io.LimitReader(resp.Body, api.BodyLimit)).Decode(&p); err == nil {
		failed.code, failed.Detail = terminal.Plain(p.Code), terminal.Plain(p.Detail)
	}
	return nil, failed
}

// request is a request to the API.
type request struct {
	method string
	path   []string // segments, escaped
	query  url.Values
	header map[string]string
	body   []byte
}

// Get asks for JSON and returns it as it came.
func (c *Client) Get(ctx context.Context, query url.Values, path ...string) (json.RawMessage, error) {
	return c.do(ctx, request{method: http.MethodGet, path: path, query: query})
}

// Text asks for plain text for people and returns it as it came.
func (c *Client) Text(ctx context.Context, query url.Values, path ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	resp, err := c.ask(ctx, request{method: http.MethodGet, path: path, query: query, header: map[string]string{"Accept": "text/plain"}})
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerLimit))
	if err != nil {
		return "", ended(ctx)
	}
	return string(text), nil
}

// do sends a request and returns the JSON of the answer.
func (c *Client) do(ctx context.Context, q request) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
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
		return nil, errors.New("the answer of the sidecar broke off; try again")
	case !json.Valid(body):
		return nil, errors.New("the answer is not JSON; check that --api is the URL of a sidecar's API")
	}
	return body, nil
}

// Post posts JSON and returns the JSON of the answer.
func (c *Client) Post(ctx context.Context, value any, path ...string) (json.RawMessage, error) {
	q := request{method: http.MethodPost, path: path, header: map[string]string{"Content-Type": "application/json"}}
	var err error
	if q.body, err = json.Marshal(value); err != nil {
		return nil, errors.New("the request cannot be built")
	}
	return c.do(ctx, q)
}

// Introspect asks whether a token is valid. It returns the answer, and the JSON as it came.
func (c *Client) Introspect(ctx context.Context, token lifecycle.Token) (api.Introspection, json.RawMessage, error) {
	answer, err := c.do(ctx, request{
		method: http.MethodPost, path: []string{"v1", "introspect"},
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"},
		body:   []byte(url.Values{"token": {token.Reveal()}}.Encode()),
	})
	if err != nil {
		return api.Introspection{}, nil, err
	}
	i, err := Decode[api.Introspection](answer)
	return i, answer, err
}

// History asks for everything that happened to an integration, oldest first, page by page.
// An iteration ends at its first error.
func (c *Client) History(ctx context.Context, id string) iter.Seq2[json.RawMessage, error] {
	return func(yield func(json.RawMessage, error) bool) {
		query := url.Values{"limit": {strconv.Itoa(api.MaxPage)}}
		for {
			answer, err := c.Get(ctx, query, IntegrationPath(id, "history")...)
			if err != nil {
				yield(nil, err)
				return
			}
			page, err := Decode[struct {
				Changes []json.RawMessage `json:"changes"`
				Next    string            `json:"next"`
			}](answer)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, e := range page.Changes {
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

// IntegrationPath is the path of an integration, or of what there is below it.
func IntegrationPath(id string, what ...string) []string {
	return append([]string{"v1", "integrations", url.PathEscape(typed.ID(id))}, what...)
}

// Decode reads an answer. An answer that cannot be read is from another version.
func Decode[T any](answer json.RawMessage) (value T, err error) {
	if err := json.Unmarshal(answer, &value); err != nil {
		var zero T
		return zero, errors.New("the answer holds something that this version does not know; " +
			"keyrack version prints the version, and --format json prints the answer as it came")
	}
	return value, nil
}

// ended returns why a context ended.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("the sidecar did not answer in time; try again")
	}
	return pause.ErrInterrupted
}

// NewTransport returns a transport of its own, so that the caller can close its connections.
func NewTransport() *http.Transport {
	carrier := http.DefaultTransport.(*http.Transport).Clone()
	carrier.MaxIdleConnsPerHost = 32
	return carrier
}
