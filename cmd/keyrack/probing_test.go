package main

import (
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// asksAt serves a world's Connector API.
func asksAt(t *testing.T, world *mewstest.World) *httpserver.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	mews := httpserver.Open(l, httpserver.MostConnections, world.Connector(), newLogger(new(testkit.Buffer)))
	t.Cleanup(func() {
		if err := mews.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return mews
}

// TestServeProbes: with an address, a name and a token, Mews is asked about what
// comes in, and its answer settles what the deliveries leave open.
func TestServeProbes(t *testing.T) {
	world := mewstest.New(&mewstest.Options{Seed: 1, Manual: true, ClientToken: lifecycle.NewToken("canary-client")})
	hotel := world.Connect("Alpenrose")
	mews := asksAt(t, world)
	p := serving(t, map[string]string{
		"KEYRACK_CONNECTOR_URL": "http://" + mews.Addr, "KEYRACK_CLIENT_NAME": "Spa 1.0", clientTokenVariable: "canary-client",
		api.KeysVariable: sidecartest.APIKeys, "KEYRACK_PROBE_RATE": "100",
	})
	p.waitFor(t, `"asking Mews"`)
	// One that no Created ever announced: the token came by e-mail.
	r := sidecartest.Call(t, p.api, "boss", http.MethodPost, api.IntegrationsPath+"/"+hotel.ID()+"/import", "application/json", `{"token":"`+hotel.Token()+`"}`)
	if r.Status != http.StatusOK {
		t.Fatalf("the import: %d, %s", r.Status, r.Body)
	}
	testkit.Eventually(t, "a probe that proves the token", func() bool {
		d := sidecartest.Read[api.Integration](t, sidecartest.Call(t, p.api, "reader", http.MethodGet, api.IntegrationsPath+"/"+hotel.ID(), "", ""))
		return d.Status == lifecycle.Valid && d.Evidence != nil && d.Evidence.Kind == lifecycle.KindProbe && d.Enterprise != nil
	})
	page := sidecartest.Call(t, p.api, "reader", http.MethodGet, "/metrics", "", "").Body
	if !strings.Contains(page, `keyrack_probes_total{result="accepted"} 1`) || !strings.Contains(page, `keyrack_probes_total{result="timed out"} 0`) {
		t.Errorf("the metrics:\n%s", page)
	}
	sidecartest.WellFormed(t, page)
	sidecartest.Silent(t, "stderr", p.stderr.String())
	stop(t, p)
}
