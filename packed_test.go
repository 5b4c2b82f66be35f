package keyrack_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
)

// zipped packs a text.
func zipped(t testing.TB, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestPackedBodies: a body that is packed with gzip is unpacked within the limit of what
// is in it.
func TestPackedBodies(t *testing.T) {
	noise := make([]byte, 200<<10)
	for i, n := 0, uint32(1); i < len(noise); i++ { // does not compress
		n = n*1664525 + 1013904223
		noise[i] = byte(n >> 24)
	}
	packed := zipped(t, enabledBody)
	damaged := bytes.Clone(packed)
	damaged[len(damaged)-5] ^= 1 // in the checksum
	for _, c := range []struct {
		about, encoding string
		body            []byte
		status          int
		refusal         keyrack.Refusal
	}{
		{"packed", "gzip", packed, 204, ""},
		{"in capitals", "GZIP", packed, 204, ""},
		{"by its former name", "x-gzip", packed, 204, ""},
		{"in two parts", "gzip", append(zipped(t, enabledBody[:20]), zipped(t, enabledBody[20:])...), 204, ""},
		{"after a byte order mark", "gzip", zipped(t, "\ufeff"+enabledBody), 204, ""},
		{"a byte order mark, not packed", "", []byte("\ufeff" + enabledBody), 204, ""},
		{"exactly the limit", "gzip", zipped(t, padded(64<<10)), 204, ""},
		{"one byte more", "gzip", zipped(t, padded(64<<10+1)), 413, keyrack.RefusedSize},
		{"a bomb", "gzip", zipped(t, padded(100<<20)), 413, keyrack.RefusedSize},
		{"what does not compress", "gzip", zipped(t, string(noise)), 413, keyrack.RefusedSize},
		{"nothing in very many parts", "gzip", bytes.Repeat(zipped(t, ""), 10000), 413, keyrack.RefusedSize},
		{"cut short", "gzip", packed[:len(packed)-9], 400, keyrack.RefusedBody},
		{"a wrong checksum", "gzip", damaged, 400, keyrack.RefusedBody},
		{"something after the end", "gzip", append(bytes.Clone(packed), "{}"...), 400, keyrack.RefusedBody},
		{"not packed", "gzip", []byte(enabledBody), 400, keyrack.RefusedBody},
		{"nothing", "gzip", nil, 400, keyrack.RefusedBody},
		{"packed, without saying so", "", packed, 400, keyrack.RefusedSyntax},
		{"packed twice", "gzip, gzip", zipped(t, string(packed)), 400, keyrack.RefusedSyntax},
		{"packed in another way", "br", []byte("\x0b\x02\x80{}\x03"), 400, keyrack.RefusedSyntax},
		{"an encoding that is none", "utf-8", []byte(enabledBody), 204, ""},
		{"no encoding", "identity", []byte(enabledBody), 204, ""},
	} {
		t.Run(c.about, func(t *testing.T) {
			r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, chunked := range []bool{false, true} {
				req := httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, bytes.NewReader(c.body))
				if chunked {
					req.ContentLength = -1
				}
				if c.encoding != "" {
					req.Header.Set("Content-Encoding", c.encoding)
				}
				answer := httptest.NewRecorder()
				h.ServeHTTP(answer, req)
				if answer.Code != c.status {
					t.Errorf("chunked %v: answered %d, want %d", chunked, answer.Code, c.status)
				}
				counts, recent := h.Refused()
				if c.refusal != "" && (counts[c.refusal] == 0 || len(counts) != 1) {
					t.Errorf("chunked %v: refused as %v, want %v", chunked, counts, c.refusal)
				}
				for _, one := range recent {
					if one.Size > 64<<10+1 {
						t.Errorf("%d bytes were held", one.Size)
					}
				}
			}
		})
	}
}

// TestPackedGeneralWebhook: the application's own handler gets it unpacked, without a
// header that says otherwise.
func TestPackedGeneralWebhook(t *testing.T) {
	r, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var got string
	h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true, General: http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		body, _ := io.ReadAll(req.Body)
		got = req.Header.Get("Content-Encoding") + string(body)
		if req.ContentLength != int64(len(body)) {
			t.Errorf("it is said to have %d bytes, and has %d", req.ContentLength, len(body))
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	req := httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, bytes.NewReader(zipped(t, generalBody)))
	req.Header.Set("Content-Encoding", "gzip")
	h.ServeHTTP(httptest.NewRecorder(), req)
	if got != strings.TrimSpace(generalBody) {
		t.Errorf("got %q", got)
	}
}
