package connector

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack/internal/backoff"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Options are what may be chosen about a [Client]. The zero value is a good choice.
type Options struct {
	// Transport makes the requests. It must make one exchange, follow no redirect,
	// and end with the request's context. It sees both tokens in the body. nil means
	// a transport of the client's own, with HTTP/2, time-outs and the proxies of the
	// environment.
	Transport http.RoundTripper
	// Timeout bounds each probe, from the request's first byte to the response's last:
	// from 1 ms to 5 minutes. 0 means 10 s.
	Timeout time.Duration
}

const (
	leastTimeout   = time.Millisecond
	defaultTimeout = 10 * time.Second
	mostTimeout    = 5 * time.Minute // Mews counts requests over a window that is longer by it
)

// Client is a [Prober] over HTTP. It keeps to the limit of 200 requests per token in 30 s,
// and to the pauses that Mews asks for. It never waits: a probe that would break
// either returns at once with the class Limited and the time to come back.
//
// A Client is safe for concurrent use.
type Client struct {
	url       string
	token     lifecycle.Token
	name      string
	transport http.RoundTripper
	own       *http.Transport // the transport if it is the client's own, else nil
	timeout   time.Duration
	limiter   *limiter
	digest    func(token string) lifecycle.Digest
}

// New returns a client of a platform, such as [Production] or [Demo]: a scheme and a
// host, plain http for this machine only. The token is the partner's own
// ClientToken; the name is that of the application with its version, such as
// "Acme Spa 2.1". nil options mean the zero Options. New sends nothing. Its errors
// wrap ErrOptions.
func New(platform string, clientToken lifecycle.Token, clientName string, opts *Options) (*Client, error) {
	var o Options
	if opts != nil {
		o = *opts
	}
	u, err := Address(platform)
	if err != nil {
		return nil, err
	}
	switch {
	case clientToken.IsZero():
		return nil, fmt.Errorf("%w: the ClientToken is empty; Mews gives each partner one", ErrOptions)
	case !utf8.ValidString(clientToken.Reveal()):
		return nil, fmt.Errorf("%w: the ClientToken is not UTF-8; copy it again from Mews", ErrOptions)
	case strings.TrimSpace(clientName) == "" || !utf8.ValidString(clientName) || strings.ContainsFunc(clientName, unicode.IsControl):
		return nil, fmt.Errorf("%w: the ClientName is blank, has control characters or is not UTF-8; give the application's name and version, such as Acme Spa 2.1", ErrOptions)
	case o.Timeout != 0 && (o.Timeout < leastTimeout || o.Timeout > mostTimeout):
		return nil, fmt.Errorf("%w: Options.Timeout is %v; it must be from %v to %v, or 0 for the default", ErrOptions, o.Timeout, leastTimeout, mostTimeout)
	}
	c := &Client{
		url:       u.JoinPath(operation).String(),
		token:     clientToken,
		name:      clientName,
		transport: o.Transport,
		timeout:   o.Timeout,
		digest:    newDigest(),
	}
	if c.timeout == 0 {
		c.timeout = defaultTimeout
	}
	if c.transport == nil {
		c.own = newTransport()
		c.transport = c.own
	}
	// Mews counts requests as they arrive, up to a time-out after they began. With a
	// window that is longer by the time-out, no delay on the way can bring more than
	// the limit together.
	c.limiter = newLimiter(requestLimit, requestWindow+c.timeout)
	return c, nil
}

func newTransport() *http.Transport {
	dialer := net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment, // never for this machine
		DialContext:            dialer.DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConns:           16,
		MaxIdleConnsPerHost:    16,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// newDigest returns a digest under a random key of its own, for the limiter.
func newDigest() func(string) lifecycle.Digest {
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	return func(token string) lifecycle.Digest {
		return sha256.Sum256(append(key[:len(key):len(key)], token...))
	}
}

// CloseIdleConnections closes the idle connections of the client's own transport. It
// does nothing to Options.Transport.
func (c *Client) CloseIdleConnections() {
	if c.own != nil {
		c.own.CloseIdleConnections()
	}
}

// Probe asks whether a token works, and whether it is the enterprise's; "" stands for an
// enterprise that is not known. Every error is an *[Error].
//
// A portfolio's token that is asked about one enterprise costs a second question: for
// that enterprise's configuration. Yes is an Accepted answer with that enterprise, and
// no longer a Portfolio's. Mews says that the enterprise "must be within scope" of the
// token, but not how it refuses one that is not. So anything but yes means "not shown":
// the answer is then Accepted with the portfolio's own enterprise, and nothing is
// concluded about the token.
func (c *Client) Probe(ctx context.Context, token lifecycle.Token, enterprise string) (Answer, error) {
	if !utf8.ValidString(enterprise) {
		return Answer{}, &Error{Class: Unsendable}
	}
	enterprise = lifecycle.CanonicalID(enterprise)
	a, err := c.probe(ctx, token, "")
	if err != nil || !a.Portfolio || enterprise == "" || enterprise == a.Enterprise.ID {
		return a, err
	}
	second, err := c.probe(ctx, token, enterprise)
	switch second.Kind {
	case Silent:
		return second, err
	case Accepted:
		a.Enterprise = second.Enterprise
	}
	a.Portfolio = false // it must name the integration's own enterprise now
	return a, nil
}

func (c *Client) probe(ctx context.Context, token lifecycle.Token, enterpriseID string) (Answer, error) {
	if ctx.Err() != nil {
		return Answer{}, ended(ctx, 0)
	}
	if token.IsZero() {
		return Answer{}, &Error{Class: Unsendable}
	}
	secret := token.Reveal()
	q, err := ask(c.token.Reveal(), secret, c.name, enterpriseID)
	if err != nil {
		return Answer{}, &Error{Class: Unsendable}
	}
	defer q.wipe()
	digest := c.digest(secret)
	if wait := c.limiter.Allow(digest); wait > 0 {
		return Answer{RetryAfter: min(wait, backoff.MaxRetryAfter)}, &Error{Class: Limited}
	}
	a, failed := c.exchange(ctx, q)
	for _, s := range []string{secret, c.token.Reveal()} {
		if quotes(s, a.RequestID) {
			a.RequestID = ""
		}
		if quotes(s, a.Enterprise.ID, a.Enterprise.Name, a.Service.ID, a.Service.Name) {
			a = Answer{Status: a.Status, Began: a.Began, RequestID: a.RequestID}
			failed = &Error{Class: Malformed, Status: a.Status}
		}
	}
	if a.RetryAfter > 0 {
		c.limiter.Pause(digest, a.RetryAfter)
	}
	if failed != nil {
		return a, failed
	}
	return a, nil
}

// exchange sends one request and reads its response. The error is not nil if and only
// if the answer is Silent.
func (c *Client) exchange(outer context.Context, q *question) (a Answer, failed *Error) {
	ctx, cancel := context.WithTimeout(outer, c.timeout)
	defer cancel()
	body, _ := q.reader()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, body)
	if err != nil {
		return a, &Error{Class: Unsendable}
	}
	// GetBody lets the transport repeat a request that it could not write because the
	// connection had gone stale.
	r.ContentLength, r.GetBody = q.size, q.reader
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "keyrack")

	a.Began = time.Now()
	// A RoundTripper, not an http.Client: it makes one exchange and cannot follow a
	// redirect, keep a cookie or quote an address.
	resp, err := c.transport.RoundTrip(r)
	if err != nil || resp == nil {
		return a, failure(outer, ctx, err, 0)
	}
	if resp.Body == nil {
		resp.Body = http.NoBody
	}
	defer func() { _ = resp.Body.Close() }()
	a.Status, a.RequestID = resp.StatusCode, requestID(resp.Header)
	switch a.Status {
	case http.StatusOK:
		content, whole, err := readBody(resp.Body)
		if err != nil {
			return a, failure(outer, ctx, err, a.Status)
		}
		if !whole || !a.fill(content) {
			return a, &Error{Class: Malformed, Status: a.Status}
		}
		return a, nil
	case http.StatusUnauthorized:
		a.Kind = Unauthorized
	default:
		a.RetryAfter = retryAfter(resp.Header, time.Now())
		failed = &Error{Class: OtherStatus, Status: a.Status}
	}
	drain(resp.Body)
	return a, failed
}

// drain discards a short body, so that its connection can be reused.
func drain(body io.Reader) { _, _ = io.CopyN(io.Discard, body, 4<<10) }

// requestID returns the response's Request-Id, or "" if it does not look like an
// identifier.
func requestID(h http.Header) string {
	const most = 128 // bytes
	id := h.Get("Request-Id")
	if len(id) > most || strings.Trim(id, "-.:|_0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return id
}
