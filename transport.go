package keyrack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

type integrationKey struct{}

// WithIntegration names the integration that a request is made for: the
// Transport puts its current token into the body.
func WithIntegration(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, integrationKey{}, id)
}

// Transport is an http.RoundTripper for the application's own calls to Mews. It
// puts the right token into them, and takes their answers as evidence: a 200
// proves that the token worked when the request began, a 401 asks for a probe.
// Neither costs the call more than a look-up; what is worth an entry in the
// journal is written in the background.
//
// It serves calls of the Connector API at one platform address. A call to any other
// scheme, host, port or path is sent as it is: it gets no token, also after a
// redirect, and its answer is no evidence.
//
// A call whose context has [WithIntegration] gets that integration's current token as
// the member AccessToken of its JSON body, in place of one that is there. If the
// verdict is not Valid, the call is not sent, and the error is a *NotActiveError. Without a
// prober, nobody but the application's own calls could find out: there, a call whose verdict
// is Unknown is made, one at a time for each integration and operation, after a 401 not again
// before 1, 5, 30 minutes and 2 hours, and not before 2 hours where the token probably does
// not work. A 200 settles. A
// body that cannot take a token, because it is not a JSON object or is larger than
// 1 MiB, is ErrInvalid. Every other call is sent as it is and only watched: the token
// is read from its body. Bodies of another media type, and larger ones, pass unread.
type Transport struct {
	rack     *Rack
	platform string // scheme, host and port
	base     http.RoundTripper
}

// largestCall is the size in bytes up to which a call's body is read.
const largestCall = 1 << 20

// connectorPath begins the path of every operation of the Connector API.
const connectorPath = "/api/connector/"

// Transport returns a Transport for the Connector API at a platform address, such as
// [connector.Production], over base; nil stands for http.DefaultTransport. The error
// is ErrInvalid for an address that is not a scheme and a host, and for plain http
// to another machine.
func (r *Rack) Transport(platform string, base http.RoundTripper) (*Transport, error) {
	u, err := connector.Address(platform)
	if err != nil {
		return nil, fmt.Errorf("%w: the platform address: %w", ErrInvalid, err)
	}
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{rack: r, platform: origin(u), base: base}, nil
}

// origin returns the scheme, the host and the port of a URL in one spelling.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

// RoundTrip sends one request. Its errors are the base's, or say why nothing
// was sent; none holds a token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if origin(req.URL) != t.platform || !strings.HasPrefix(req.URL.Path, connectorPath) {
		return t.base.RoundTrip(req)
	}
	id, carries := req.Context().Value(integrationKey{}).(string)
	call, err := readCall(req)
	if err != nil {
		return nil, err
	}
	call.operation, _ = typed.Operation(req.URL.Path)
	if carries {
		err = t.carry(req.Context(), lifecycle.CanonicalID(id), &call)
	} else {
		t.recognize(&call)
	}
	if err != nil {
		call.close()
		return nil, err
	}
	began := t.rack.clock.Now()
	resp, err := t.base.RoundTrip(call.request(req))
	if err == nil && call.token != (lifecycle.Digest{}) {
		t.rack.watch(seenAnswer{call.token, call.generation, resp.StatusCode, began, 0, call.operation})
	}
	if carries && t.rack.schedule == nil {
		status := 0
		if err == nil {
			status = resp.StatusCode
		}
		t.rack.trials.End(call.integration, call.operation, status, call.trial, t.rack.clock.Now())
	}
	return resp, err
}

// carry puts an integration's current token into a call.
func (t *Transport) carry(ctx context.Context, id string, call *outbound) error {
	record := t.rack.view.Record(id)
	token, verdict, err := t.rack.Token(ctx, id)
	switch {
	case record != nil && err == nil && (verdict.Active() || t.rack.tries(record, verdict, call)):
	case err != nil && !errors.Is(err, ErrNoToken) && !errors.Is(err, ErrNotFound):
		return err
	default:
		return &NotActiveError{verdict}
	}
	begin, end, closing := accessToken(call.body)
	if closing < 0 {
		if call.trial {
			t.rack.trials.End(id, call.operation, 0, true, t.rack.clock.Now())
		}
		return fmt.Errorf("%w: the request's body is not a JSON object of at most 1 MiB to put a token in", ErrInvalid)
	}
	call.body = withToken(call.body, begin, end, closing, token.Reveal())
	call.token, call.generation, call.integration = t.rack.digest(token), record.Generation, id
	return nil
}

// recognize finds out which token a call carries.
func (t *Transport) recognize(call *outbound) {
	begin, end, _ := accessToken(call.body)
	if begin < 0 {
		return
	}
	token, err := jsontext.AppendUnquote(nil, call.body[begin:end])
	if err != nil {
		return
	}
	call.token = t.rack.digester.Sum(string(token))
	if record := t.rack.view.Owner(call.token); record != nil {
		call.generation = record.Generation
	}
}

// CloseIdleConnections closes the base's, where it can: http.Client asks for it.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// outbound is a request with its body.
type outbound struct {
	body []byte        // what was read of it
	rest io.ReadCloser // what was not read; nil where all was

	token      lifecycle.Digest // zero where the call carries none that could be read
	generation uint64

	integration string // on whose behalf it is made
	operation   string
	trial       bool // it is made although the verdict is Unknown
}

// readCall reads a request's body, unless its media type or its size says that it is
// not worth it. A larger body of unknown length is read in part.
func readCall(req *http.Request) (outbound, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return outbound{}, nil
	}
	if req.ContentLength > largestCall || !mayBeJSON(req.Header.Get("Content-Type")) {
		return outbound{rest: req.Body}, nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, largestCall+1))
	if err != nil {
		req.Body.Close()
		return outbound{}, err
	}
	if len(body) > largestCall {
		rest := struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(body), req.Body), req.Body}
		return outbound{rest: rest}, nil
	}
	req.Body.Close()
	return outbound{body: body}, nil
}

// mayBeJSON reports whether a media type is JSON, or is missing.
func mayBeJSON(contentType string) bool {
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return media == "" || strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

// request returns the request to send, with the call's body.
func (c *outbound) request(req *http.Request) *http.Request {
	sent := req.Clone(req.Context())
	switch {
	case c.rest != nil:
		sent.Body = c.rest
	case c.body != nil:
		body := c.body
		sent.Body = io.NopCloser(bytes.NewReader(body))
		sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		sent.ContentLength = int64(len(body))
	}
	return sent
}

// close closes what is not sent.
func (c *outbound) close() {
	if c.rest != nil {
		c.rest.Close()
	}
}

// accessToken finds the value of the top-level member AccessToken, if it is a
// string, and the object's closing brace. What is not there is -1.
func accessToken(body []byte) (begin, end, closing int) {
	begin, end = -1, -1
	d := jsontext.NewDecoder(bytes.NewBuffer(body))
	if token, err := d.ReadToken(); err != nil || token.Kind() != '{' {
		return -1, -1, -1
	}
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return -1, -1, -1
		}
		wanted := name.String() == "AccessToken"
		value, err := d.ReadValue()
		if err != nil {
			return -1, -1, -1
		}
		if wanted {
			end = int(d.InputOffset())
			begin = end - len(value)
		}
	}
	if token, err := d.ReadToken(); err != nil || token.Kind() != '}' {
		return -1, -1, -1
	}
	return begin, end, int(d.InputOffset()) - 1
}

// withToken returns the body with the token in it.
func withToken(body []byte, begin, end, closing int, token string) []byte {
	quoted, _ := jsontext.AppendQuote(nil, token)
	out := make([]byte, 0, len(body)+len(quoted)+len(`,"AccessToken":`))
	if begin >= 0 {
		out = append(append(out, body[:begin]...), quoted...)
		return append(out, body[end:]...)
	}
	out = append(out, body[:closing]...)
	if bytes.ContainsRune(body[:closing], ':') {
		out = append(out, ',')
	}
	out = append(append(out, `"AccessToken":`...), quoted...)
	return append(out, body[closing:]...)
}

// watch notes an answer in the background. One that does not fit into the queue is
// passed over: the next call tells the same.
func (r *Rack) watch(o seenAnswer) {
	if o.status != http.StatusOK && o.status != http.StatusUnauthorized {
		return
	}
	select {
	case r.watched <- o:
	default:
	}
}

// noteWatched takes in what the transports saw, until the context ends.
func (r *Rack) noteWatched(ctx context.Context) {
	for {
		select {
		case o := <-r.watched:
			if _, err := r.report(ctx, o); err != nil && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
				r.log.WarnContext(ctx, "an answer from Mews is not noted", "status", o.status, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}
