package keyrack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// ErrNotActive: the verdict on the integration's token is not Valid, so the
// request was not sent. It comes wrapped in a *NotActiveError.
var ErrNotActive = errors.New("keyrack: the integration's token is not valid")

// NotActiveError holds the verdict for which a request was not sent. It unwraps
// to ErrNotActive.
type NotActiveError struct{ Verdict Verdict }

func (e *NotActiveError) Error() string {
	return fmt.Sprintf("%v: %v (%v)", ErrNotActive, e.Verdict.Status, e.Verdict.Reason)
}

// Unwrap returns ErrNotActive.
func (e *NotActiveError) Unwrap() error { return ErrNotActive }

type integrationKey struct{}

// WithIntegration says on behalf of which integration a request is made: the
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
// A request whose context has [WithIntegration] gets that integration's current
// token as the member AccessToken of its JSON body, in place of one that is
// there; if the verdict is not Valid it is not sent, and the error is a
// *NotActiveError. Neither is it sent where a redirect leads it to another host: the
// token is for Mews. Every other request is sent as it is, and only watched: the
// token is read off its body. A body that is not a JSON object is left alone.
type Transport struct {
	rack *Rack
	base http.RoundTripper
}

// Transport returns a Transport over base, nil for http.DefaultTransport.
func (r *Rack) Transport(base http.RoundTripper) *Transport {
	if base == nil {
		base = http.DefaultTransport
	}
	return &Transport{rack: r, base: base}
}

// RoundTrip sends one request. Its errors are the base's, or say why nothing
// was sent; none holds a token.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := readBody(req)
	if err != nil {
		return nil, err
	}
	begin, end, closing := accessToken(body)
	var used lifecycle.Digest
	var generation uint64
	if id, ok := req.Context().Value(integrationKey{}).(string); ok {
		if astray(req) {
			return nil, fmt.Errorf("%w: a redirect leads the token to another host", ErrInvalid)
		}
		record, known := t.rack.Record(id)
		token, verdict, err := t.rack.Token(req.Context(), id)
		switch {
		case known && err == nil && verdict.Active():
		case err != nil && !errors.Is(err, ErrNoToken) && !errors.Is(err, ErrNotFound):
			return nil, err
		default:
			return nil, &NotActiveError{verdict}
		}
		if closing < 0 {
			return nil, fmt.Errorf("%w: the request's body is not a JSON object to put a token in", ErrInvalid)
		}
		body = withToken(body, begin, end, closing, token.Reveal())
		used, generation = t.rack.digest(token), record.Generation
	} else if begin >= 0 {
		if token, err := jsontext.AppendUnquote(nil, body[begin:end]); err == nil {
			used = t.rack.digester.Sum(string(token))
			if record := t.rack.view.owner(used); record != nil {
				generation = record.Generation
			}
		}
	}
	sent := req.Clone(req.Context())
	if body != nil {
		sent.Body = io.NopCloser(bytes.NewReader(body))
		sent.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
		sent.ContentLength = int64(len(body))
	}
	began := t.rack.clock.now()
	resp, err := t.base.RoundTrip(sent)
	if err == nil && !used.IsZero() {
		t.rack.watch(used, generation, resp.StatusCode, began)
	}
	return resp, err
}

// CloseIdleConnections closes the base's, where it can: http.Client asks for it.
func (t *Transport) CloseIdleConnections() {
	if base, ok := t.base.(interface{ CloseIdleConnections() }); ok {
		base.CloseIdleConnections()
	}
}

// astray tells whether redirects have led a request away from where it was sent to.
func astray(req *http.Request) bool {
	first := req
	for first.Response != nil && first.Response.Request != nil {
		first = first.Response.Request
	}
	return first.URL.Scheme != req.URL.Scheme || first.URL.Host != req.URL.Host
}

func readBody(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	defer req.Body.Close()
	return io.ReadAll(req.Body)
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

// observation is an answer that the application got.
type observation struct {
	digest     lifecycle.Digest
	generation uint64
	status     int
	began      time.Time
}

// watch notes an answer in the background. One that does not fit into the queue is
// passed over: the next call tells the same.
func (r *Rack) watch(d lifecycle.Digest, generation uint64, status int, began time.Time) {
	if status != http.StatusOK && status != http.StatusUnauthorized {
		return
	}
	select {
	case r.watched <- observation{d, generation, status, began}:
	default:
	}
}

// noteWatched takes in what the transports saw, until the context ends.
func (r *Rack) noteWatched(ctx context.Context) {
	for {
		select {
		case o := <-r.watched:
			if _, err := r.report(ctx, o); err != nil && !errors.Is(err, ErrNotFound) && ctx.Err() == nil {
				r.log.WarnContext(ctx, "an answer of Mews's is not noted", "status", o.status, "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}
