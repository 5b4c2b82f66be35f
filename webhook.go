package keyrack

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	// DefaultPath is the path of the webhook where none is given.
	DefaultPath = "/webhooks/mews"
	// defaultBodyLimit is the largest body that is read, in bytes.
	defaultBodyLimit = 64 << 10
	// mostBodyLimit is the largest limit: bodies are read into memory.
	mostBodyLimit = 64 << 20
	// bodyTimeout bounds how long the body of a delivery may take to come.
	bodyTimeout = 5 * time.Second
)

// HandlerOptions are the choices of a Handler.
type HandlerOptions struct {
	// Path is the one exact path that is answered; every other is 404. It begins with a
	// slash and is spelled as in a URL. Empty means DefaultPath. Nothing is ever
	// redirected: Mews follows redirections, with the body and the token in it.
	Path string
	// AnyPath leaves the path to the router that the handler is mounted in, which must not
	// redirect either: whatever it sends here is answered. It goes without Path.
	AnyPath bool
	// WithoutSecret accepts every delivery. It must be set if there are no secrets, must
	// not be if there are, and should be only if something in front authenticates.
	WithoutSecret bool
	// General gets the General Webhooks that come to the same URL, with the body as it
	// came, but unpacked, and without the secret: neither in the URL, nor in a parsed form,
	// nor in what proxies say of the URL. Its answer is the answer. nil: they are answered 204.
	General http.Handler
	// BodyLimit is the largest body that is read, in bytes, unpacked: at most 64 MiB. 0
	// means 64 KiB.
	BodyLimit int64
}

// Handler receives Mews's webhooks on one exact path. What it refuses is logged with a hint
// at what is probably wrong; a refusal of the same kind again at most every ten seconds.
//
//	204  journalled durably: applied, duplicate, parked, stale, conflict, an
//	     unknown action, valid JSON of an unexpected shape
//	401  wrong or no secret; nothing is stored
//	404  another path
//	405  another method than POST
//	413  a body above the limit
//	400  not strict JSON; a count and a digest are kept
//	503  the store failed or was too slow: only then can a re-sent copy help
//
// A General Webhook is answered by the application's own handler. A body with
// Content-Encoding: gzip is unpacked.
type Handler struct {
	rack     *Rack
	options  HandlerOptions
	secrets  secrets
	refusals refusals
	buffers  sync.Pool
}

// Handler returns a handler that delivers to the Rack what comes with one of the
// secrets, as ?Token=SECRET. nil options mean the zero HandlerOptions. The error is
// ErrInvalid if there is no secret and WithoutSecret is not set, if both are there, if a
// secret is empty or has what no registered URL has, if two have the same name or value, or
// for options that make no sense.
func (r *Rack) Handler(accepted []Secret, o *HandlerOptions) (*Handler, error) {
	var options HandlerOptions
	if o != nil {
		options = *o
	}
	if len(accepted) == 0 && !options.WithoutSecret {
		return nil, fmt.Errorf("%w: without a secret anybody can deliver; give one, or set WithoutSecret if something in front authenticates", ErrInvalid)
	}
	if len(accepted) > 0 && options.WithoutSecret {
		return nil, fmt.Errorf("%w: HandlerOptions.WithoutSecret is true beside %d secrets, which it would leave unchecked; leave it false, or give no secret", ErrInvalid, len(accepted))
	}
	if options.General != nil && absent(options.General) {
		return nil, fmt.Errorf("%w: HandlerOptions.General is a nil %T; give a handler, or leave it nil to answer 204", ErrInvalid, options.General)
	}
	secrets, err := newSecrets(accepted)
	if err != nil {
		return nil, err
	}
	if options.AnyPath && options.Path != "" {
		return nil, fmt.Errorf("%w: HandlerOptions.AnyPath is true beside Path = %q; leave Path empty where the router decides", ErrInvalid, options.Path)
	}
	if options.Path == "" {
		options.Path = DefaultPath
	}
	if !exact(options.Path) {
		return nil, fmt.Errorf("%w: HandlerOptions.Path is %q; it must begin with a slash, need no percent-encoding, and have no empty segment, no . and no .., such as %s", ErrInvalid, options.Path, DefaultPath)
	}
	if options.BodyLimit < 0 || options.BodyLimit > mostBodyLimit {
		return nil, fmt.Errorf("%w: HandlerOptions.BodyLimit is %d; it must be from 1 to %d bytes, or 0 for the default", ErrInvalid, options.BodyLimit, mostBodyLimit)
	}
	if options.BodyLimit == 0 {
		options.BodyLimit = defaultBodyLimit
	}
	h := &Handler{rack: r, options: options, secrets: secrets}
	h.buffers.New = func() any { return new(bytes.Buffer) }
	return h, nil
}

// exact reports whether a path has one spelling in a URL, which no proxy rewrites.
func exact(p string) bool {
	clean := path.Clean(p)
	plain := p == clean || clean != "/" && p == clean+"/"
	return p[0] == '/' && plain && (&url.URL{Path: p}).EscapedPath() == p
}

// Secrets returns the names of the secrets and when each was last presented.
func (h *Handler) Secrets() []SecretUse { return h.secrets.uses() }

// arrival is when a request came, and with which secret.
type arrival struct {
	at     time.Time
	began  span
	secret string // its name; empty before it was looked at, and without one
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a := arrival{at: time.Now()}
	ctx, began := h.rack.tell.begin(req.Context(), WorkDelivery, "")
	a.began = began
	refusal := h.admit(req, &a)
	if refusal != "" {
		h.refuse(w, req, a, refusal, nil, nil)
		return
	}
	body := h.buffers.Get().(*bytes.Buffer)
	defer h.buffers.Put(body)
	body.Reset()
	if err := h.read(w, req, body); err != nil {
		h.refuse(w, req, a, refusalOf(err), body.Bytes(), err)
		return
	}
	// Whether the delivery is stored must not depend on the caller staying connected.
	ctx = context.WithoutCancel(ctx)
	receipt, err := h.deliver(ctx, body.Bytes())
	switch {
	case errors.Is(err, events.ErrSyntax):
		h.refuse(w, req, a, RefusedSyntax, body.Bytes(), nil)
	case errors.Is(err, ErrFull):
		h.refuse(w, req, a, RefusedFull, nil, nil)
	case err != nil:
		h.refuse(w, req, a, RefusedStore, nil, err)
	case receipt.General != nil:
		h.general(w, req, body.Bytes(), a, receipt)
	default:
		w.WriteHeader(http.StatusNoContent)
		h.answered(a, http.StatusNoContent, receipt)
	}
}

// admit looks at everything but the body.
func (h *Handler) admit(req *http.Request, a *arrival) Refusal {
	if !h.options.AnyPath && (req.URL.Path != h.options.Path || req.URL.RawPath != "") { // spelled in an unusual way
		return RefusedPath
	}
	if req.Method != http.MethodPost {
		return RefusedMethod
	}
	if !h.options.WithoutSecret {
		name, ok := h.secrets.match(req.URL.RawQuery, a.at)
		if !ok {
			return RefusedSecret
		}
		a.secret = name
	}
	return ""
}

// packedSlack is how many bytes more than the limit a packed body may have: what does not
// compress grows a little.
const packedSlack = 1 << 10

// read reads the body of a request, unpacked, up to the limit. It never holds more than
// that, whatever a packed body says. A body in any other encoding than gzip is taken as it
// is: it is JSON, or it is refused as no JSON.
func (h *Handler) read(w http.ResponseWriter, req *http.Request, into *bytes.Buffer) error {
	limit, packed := h.options.BodyLimit, isGzip(req.Header)
	if packed {
		limit += packedSlack
	}
	if req.ContentLength > limit {
		return &http.MaxBytesError{Limit: limit}
	}
	// A writer that cannot set deadlines leaves them to its server.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyTimeout))
	source := io.Reader(http.MaxBytesReader(w, req.Body, limit))
	if packed {
		unpacked, err := gzip.NewReader(source)
		if err != nil {
			return err
		}
		source = unpacked
	}
	_, err := into.ReadFrom(io.LimitReader(source, h.options.BodyLimit+1))
	if err == nil && int64(into.Len()) > h.options.BodyLimit {
		return &http.MaxBytesError{Limit: h.options.BodyLimit}
	}
	return err
}

// deliver delivers, and makes an error of a panic. The error says no more than the
// type of the panic's value, which may hold anything.
func (h *Handler) deliver(ctx context.Context, body []byte) (receipt Receipt, err error) {
	if v := guard.Panicked(func() { receipt, err = h.rack.Deliver(ctx, body) }); v != nil {
		err = fmt.Errorf("keyrack: panic of a %T while delivering", v)
	}
	return receipt, err
}

// general hands a General Webhook to the application's handler, body intact.
func (h *Handler) general(w http.ResponseWriter, req *http.Request, body []byte, a arrival, receipt Receipt) {
	if h.options.General == nil {
		w.WriteHeader(http.StatusNoContent)
		h.answered(a, http.StatusNoContent, receipt)
		return
	}
	status := &statusWriter{ResponseWriter: w}
	forwarded := req.Clone(req.Context())
	forwarded.Body = io.NopCloser(bytes.NewReader(bytes.Clone(body)))
	forwarded.ContentLength = int64(len(body))
	if isGzip(req.Header) { // it is unpacked
		forwarded.Header.Del("Content-Encoding")
	}
	withoutSecret(forwarded)
	v := guard.Panicked(func() { h.options.General.ServeHTTP(status, forwarded) })
	if v != nil && v != http.ErrAbortHandler {
		h.rack.log.ErrorContext(req.Context(), "panic in the handler of General Webhooks", "type", fmt.Sprintf("%T", v))
		if status.code == 0 {
			http.Error(w, "internal error", http.StatusInternalServerError)
			status.code = http.StatusInternalServerError
		}
	}
	h.answered(a, status.status(), receipt)
	if v == http.ErrAbortHandler {
		panic(v) // the server aborts the answer, so that half of one is not taken for all of it
	}
}

// answered notes how a delivery was answered.
func (h *Handler) answered(a arrival, status int, receipt Receipt) {
	took := time.Since(a.at)
	if !receipt.ID.IsZero() {
		h.rack.answers.Add(receipt.ID, store.Response{Status: status, Took: took})
	}
	h.rack.tell.answered(a.began, ServedRequest{Status: status, Took: took, Receipt: receipt, Secret: a.secret})
}

// Refused returns how many requests were refused for which reason since the
// handler was made, and the last few of them, oldest first.
func (h *Handler) Refused() (counts map[Refusal]uint64, recent []Refused) { return h.refusals.copies() }

// refuse answers a request that is not taken in. The error is the one with which the body
// could not be read or the delivery not be stored, and nil for other refusals.
func (h *Handler) refuse(w http.ResponseWriter, req *http.Request, a arrival, refusal Refusal, body []byte, err error) {
	asked := refusedRequest{Request: req, path: h.options.Path, body: body, err: err}
	asked.escaped, asked.one = presentedIn(req.URL.RawQuery)
	one := Refused{At: a.at.UTC(), Refusal: refusal, Size: len(body), Hint: asked.hint(refusal)}
	if len(body) > 0 {
		digest := h.rack.digester.Sum(string(body))
		one.Digest = hex.EncodeToString(digest[:8])
	}
	level, message, failure := slog.LevelWarn, "request refused", slog.Attr{}
	if refusal == RefusedStore {
		level, message, failure = slog.LevelError, "delivery not stored", slog.String("error", err.Error())
	}
	if times := h.refusals.add(one, failure.Value.String()); times > 0 {
		h.rack.log.LogAttrs(req.Context(), level, message, slog.String("why", string(refusal)), slog.Int("times", times),
			slog.Int("status", refusal.status()), slog.String("hint", one.Hint), failure)
	}
	refusal.answer(w)
	h.rack.tell.answered(a.began, ServedRequest{Status: refusal.status(), Took: time.Since(a.at), Refusal: refusal, Secret: a.secret})
}

// statusWriter remembers the status that was answered.
type statusWriter struct {
	http.ResponseWriter
	code int
}

func (w *statusWriter) WriteHeader(code int) {
	if w.code == 0 && code >= http.StatusOK { // below it, the answer is yet to come
		w.code = code
	}
	w.ResponseWriter.WriteHeader(code)
}

func (w *statusWriter) Write(b []byte) (int, error) {
	if w.code == 0 {
		w.code = http.StatusOK
	}
	return w.ResponseWriter.Write(b)
}

// Unwrap serves http.ResponseController.
func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *statusWriter) status() int {
	if w.code == 0 {
		return http.StatusOK
	}
	return w.code
}
