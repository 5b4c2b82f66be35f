package api

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/metrics"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// answering is a Mews that knows some tokens: 200, silence, or else 401.
type answering map[string]connector.Kind

func (a answering) Probe(_ context.Context, token lifecycle.Token, _ string) (connector.Answer, error) {
	kind, known := a[token.Reveal()]
	if !known {
		return connector.Answer{Kind: connector.Unauthorized, Status: 401}, nil
	}
	return connector.Answer{Kind: kind, Status: 200, Enterprise: lifecycle.Named{ID: "e", Name: "Hotel Lark"}}, nil
}

// TestConnect: what Mews says of a token is told apart, and nothing is kept of one that it
// refuses.
func TestConnect(t *testing.T) {
	rack, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Prober: answering{"canary-good": connector.Accepted, "canary-mute": connector.Silent}})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	ready := new(atomic.Bool)
	ready.Store(true)
	value, key := NewKey("ops", ScopeAdmin)
	server := New(Options{Rack: rack, Keys: Keys{key}, AsksMews: true, Metrics: metrics.New("0.0.0"), Log: slog.New(slog.DiscardHandler), Ready: ready})
	for _, test := range []struct {
		body   string
		status int
		want   string
	}{
		{`{"token":"canary-bad"}`, http.StatusUnprocessableEntity, `"error":"unattributed"`},
		{`{"token":"canary-mute"}`, http.StatusGatewayTimeout, `"error":"unanswered"`},
		{`{"token":"canary-good","labels":{"tenant":"4711"}}`, http.StatusOK, `"nameless":true,"enterprise_name":"Hotel Lark","active":true,"status":"valid"`},
		{`{"token":"canary-bad"}`, http.StatusUnprocessableEntity, `"error":"rejected"`},
		{`{"token":"canary-mute","keep_unproved":true}`, http.StatusOK, `"reason":"unproved"`},
	} {
		req := httptest.NewRequest(http.MethodPost, "http://localhost"+ConnectPath, strings.NewReader(test.body))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Authorization", "Bearer "+value)
		w := httptest.NewRecorder()
		server.ServeHTTP(w, req)
		if w.Code != test.status || !strings.Contains(w.Body.String(), test.want) || strings.Contains(w.Body.String(), "canary") {
			t.Errorf("%s: %d %s", test.body, w.Code, w.Body)
		}
	}
	kept := 0
	for range rack.Summaries() {
		kept++
	}
	if kept != 2 {
		t.Errorf("%d integrations are kept", kept)
	}
}
