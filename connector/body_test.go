package connector_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestNoBody: a transport that breaks the contract of http.RoundTripper.
func TestNoBody(t *testing.T) {
	c := through(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200}, nil
	})
	a, err := c.Probe(t.Context(), token, "")
	wantSilent(t, a, err, connector.Malformed)
}

// counter counts what is read.
type counter struct {
	io.Reader
	read   int
	closed bool
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.read += n
	return n, err
}

func (c *counter) Close() error { c.closed = true; return nil }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

func TestEndlessBody(t *testing.T) {
	for _, status := range []int{200, 401, 429, 500} {
		body := &counter{Reader: io.MultiReader(strings.NewReader(accepted), zeros{})}
		c := through(t, func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: body}, nil
		})
		a, err := c.Probe(t.Context(), token, "")
		switch status {
		case 200:
			wantSilent(t, a, err, connector.Malformed)
		case 401:
			if err != nil || a.Kind != connector.Unauthorized {
				t.Errorf("%v, %v", a.Kind, err)
			}
		default:
			wantSilent(t, a, err, connector.OtherStatus)
		}
		if body.read > 1<<20+1 || !body.closed {
			t.Errorf("status %d: read %d bytes, closed: %v", status, body.read, body.closed)
		}
	}
}

// TestBodyLimit: a body of 1 MiB is read, and one of a byte more is not.
func TestBodyLimit(t *testing.T) {
	for _, size := range []int{1 << 20, 1<<20 + 1} {
		c := through(t, func(*http.Request) (*http.Response, error) {
			return respond(200, accepted+strings.Repeat(" ", size-len(accepted))), nil
		})
		a, err := c.Probe(t.Context(), token, "")
		if size > 1<<20 {
			wantSilent(t, a, err, connector.Malformed)
		} else if err != nil {
			t.Error(err)
		}
	}
}

// TestGzip: the limit counts what a body grows to.
func TestGzip(t *testing.T) {
	squeeze := func(r io.Reader) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		_, _ = io.Copy(w, r)
		_ = w.Close()
		return b.Bytes()
	}
	small := squeeze(strings.NewReader(accepted))
	bomb := squeeze(io.MultiReader(strings.NewReader(accepted), io.LimitReader(zeros{}, 4<<20)))
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		body := small
		if r.ContentLength > 300 { // the token of the second question is longer
			body = bomb
		}
		_, _ = w.Write(body)
	}, nil)
	if a, err := c.Probe(t.Context(), token, ""); err != nil || a.Enterprise.ID != enterprise {
		t.Errorf("small: %v, %v", a, err)
	}
	a, err := c.Probe(t.Context(), lifecycle.NewToken(strings.Repeat("T", 300)), "")
	wantSilent(t, a, err, connector.Malformed)
}
