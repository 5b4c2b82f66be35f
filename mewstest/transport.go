package mewstest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"syscall"

	"github.com/keyrack-dev/keyrack/internal/guard"
)

// Transport carries requests to a handler by direct calls, without a network: put it in
// an http.Client. A request ends with its context, as on a network, though the handler
// may continue. A handler that panics, or that aborts with http.ErrAbortHandler, is an
// error. A nil handler refuses all connections.
func Transport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

// errPanic is a receiver's panic. It names only the type, because the value may hold
// anything.
type errPanic struct{ value any }

func (e errPanic) Error() string {
	return fmt.Sprintf("mewstest: the handler panicked with a %T", e.value)
}

var (
	errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	errReset   = &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
)

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		var err error
		body, err = io.ReadAll(req.Body)
		_ = req.Body.Close()
		if err != nil {
			return nil, err
		}
	}
	if t.handler == nil {
		return nil, errRefused
	}
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(req.Context())
	served := make(chan error, 1)
	answer := &recorder{header: http.Header{}}
	go func() {
		// As on a server, the request's context ends with its handler.
		defer cancel()
		served <- serve(t.handler, answer, arriving(ctx, req, body))
	}()
	select {
	case err := <-served:
		if err != nil {
			return nil, err
		}
		return answer.response(req), nil
	case <-req.Context().Done():
		return nil, context.Cause(req.Context())
	}
}

// serve calls a handler, and makes an error of a panic.
func serve(h http.Handler, rw http.ResponseWriter, req *http.Request) error {
	switch v := guard.Panicked(func() { h.ServeHTTP(rw, req) }); {
	case v == nil:
		return nil
	case isAbort(v):
		return errReset
	default:
		return errPanic{v}
	}
}

func isAbort(v any) bool {
	err, ok := v.(error)
	return ok && errors.Is(err, http.ErrAbortHandler)
}

// arriving turns a client's request into what a server sees of it.
func arriving(ctx context.Context, req *http.Request, body []byte) *http.Request {
	in := req.Clone(ctx)
	in.RequestURI = req.URL.RequestURI()
	in.URL.Scheme, in.URL.Host, in.URL.User, in.URL.Fragment = "", "", nil, ""
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.Proto, in.ProtoMajor, in.ProtoMinor = "HTTP/1.1", 1, 1
	in.RemoteAddr = "192.0.2.1:1234" // an example address of RFC 5737
	in.ContentLength, in.TransferEncoding = int64(len(body)), nil
	in.Body = http.NoBody
	if len(body) > 0 {
		in.Body = io.NopCloser(bytes.NewReader(body))
	}
	in.GetBody, in.Response = nil, nil
	return in
}

// recorder is a handler's answer. Only the handler's goroutine uses it until the
// handler is done.
type recorder struct {
	header http.Header
	sent   http.Header // the header as it was when the status was written
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status != 0 || status < 200 {
		return
	}
	r.status, r.sent = status, r.header.Clone()
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.status == http.StatusNoContent || r.status == http.StatusNotModified {
		return 0, http.ErrBodyNotAllowed
	}
	return r.body.Write(b)
}

func (r *recorder) response(req *http.Request) *http.Response {
	r.WriteHeader(http.StatusOK)
	return &http.Response{
		Status:     strconv.Itoa(r.status) + " " + http.StatusText(r.status),
		StatusCode: r.status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        r.sent,
		Body:          io.NopCloser(bytes.NewReader(r.body.Bytes())),
		ContentLength: int64(r.body.Len()),
		Request:       req,
	}
}
