package api

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// TestAppendIntrospection: what is written by hand is what encoding/json writes.
func TestAppendIntrospection(t *testing.T) {
	now := time.Unix(2e9, 0)
	for _, v := range []keyrack.Verdict{
		{},
		{
			Status: lifecycle.Valid, Reason: lifecycle.ReasonLive, State: lifecycle.Enabled, Assumed: true,
			Integration: "9e5e84e9-974d-4f16-9662-ab2200f27cb1", Enterprise: "a \"quoted\" \\ one\n\u00e9\u2028",
			Evidence: lifecycle.Basis{Kind: lifecycle.KindDelivery, Action: lifecycle.IntegrationCreated, At: 1_999_999_999_123_456},
		},
		{Labels: "a=", Integration: "i"},
		{Labels: "env=prod,example.com/tenant=4711"},
		{Status: lifecycle.Invalid, Integration: "\x7f", Evidence: lifecycle.Basis{Kind: lifecycle.KindProbe, At: 1}},
	} {
		i := introspectionOf(v, now)
		byHand := i.appendJSON(nil)
		reflected, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := json.Unmarshal(byHand, &got); err != nil {
			t.Fatalf("%v: %s", err, byHand)
		}
		if err := json.Unmarshal(reflected, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}

// BenchmarkIntrospectHandler measures the handler without a network.
func BenchmarkIntrospectHandler(b *testing.B) {
	rack, err := keyrack.Open(b.Context(), memstore.New(nil), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer rack.Close()
	body, err := demo.Body("created.json")
	if err != nil {
		b.Fatal(err)
	}
	if _, err := rack.Deliver(b.Context(), body); err != nil {
		b.Fatal(err)
	}
	ready := new(atomic.Bool)
	ready.Store(true)
	handler := New(Options{Rack: rack, Metrics: metrics.New("0.0.0"), Log: slog.New(slog.DiscardHandler), Ready: ready})
	question := "token=" + sidecartest.SampleToken
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s",
		IntrospectPath, formMedia, len(question), question)
	b.ReportAllocs()
	for b.Loop() {
		req, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(request)))
		if err != nil {
			b.Fatal(err)
		}
		w := &discard{header: http.Header{}}
		handler.ServeHTTP(w, req)
		if w.status != http.StatusOK || !bytes.Contains(w.body, []byte(`"active":true`)) {
			b.Fatalf("%d: %s", w.status, w.body)
		}
	}
}

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
	body   []byte
}

func (d *discard) Header() http.Header    { return d.header }
func (d *discard) WriteHeader(status int) { d.status = status }

func (d *discard) Write(b []byte) (int, error) {
	if d.status == 0 {
		d.status = http.StatusOK
	}
	d.body = append(d.body, b...)
	return len(b), nil
}
