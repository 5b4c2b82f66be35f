package api

import (
	"net/http"
	"testing"

	"github.com/zitadel/oidc/v3/pkg/client/rs"
	"github.com/zitadel/oidc/v3/pkg/oidc"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// verdictResponse is what a stock client decodes into: its own type of the RFC's
// members, where everything else is a claim.
type verdictResponse = oidc.IntrospectionResponse

// TestOAuthClient has a client library of OAuth 2.0 that others wrote ask about a
// token: github.com/zitadel/oidc, which presents name and key as HTTP Basic.
func TestOAuthClient(t *testing.T) {
	p := serveAPI(t, sidecartest.APIKeys)
	p.deliver(t, "created.json")
	ask := func(name, key, token string) (*verdictResponse, error) {
		t.Helper()
		server, err := rs.NewResourceServerClientCredentials(t.Context(), "http://"+p.api, name, key,
			rs.WithClient(sidecartest.Client), rs.WithStaticEndpoints("http://"+p.api+"/none", "http://"+p.api+IntrospectPath))
		if err != nil {
			t.Fatal(err)
		}
		return rs.Introspect[*verdictResponse](t.Context(), server, token)
	}
	response, err := ask("asker", "canary-asker", sidecartest.SampleToken)
	if err != nil {
		t.Fatal(err)
	}
	if !response.Active || response.Claims["status"] != "valid" || response.Claims["integration"] != sidecartest.SampleIntegration {
		t.Errorf("a valid token: %+v", response)
	}
	if response, err = ask("asker", "canary-asker", "nobody's"); err != nil || response.Active || response.Claims["reason"] != "unfamiliar" {
		t.Errorf("an unfamiliar token: %+v, %v", response, err)
	}
	for name, key := range map[string]string{"asker": "canary-reader", "reader": "canary-reader", "nobody": "canary-asker", "": ""} {
		if response, err := ask(name, key, sidecartest.SampleToken); err == nil || response != nil && response.Active {
			t.Errorf("%s got an answer: %+v", name, response)
		}
	}
	p.deliver(t, "disabled.json")
	if response, err = ask("asker", "canary-asker", sidecartest.SampleToken); err != nil || response.Active || response.Claims["reason"] != "disabled" {
		t.Errorf("a disabled one: %+v, %v", response, err)
	}
	sidecartest.Silent(t, "the log", p.log.String())
}

// TestOAuthClientAlone asks a receiver without keys, to which any name and any key
// are as good as none.
func TestOAuthClientAlone(t *testing.T) {
	p := serveAPI(t, "")
	p.deliver(t, "created.json")
	server, err := rs.NewResourceServerClientCredentials(t.Context(), "http://"+p.api, "anybody", "canary",
		rs.WithClient(&http.Client{Transport: sidecartest.Client.Transport}), rs.WithStaticEndpoints("http://"+p.api+"/none", "http://"+p.api+IntrospectPath))
	if err != nil {
		t.Fatal(err)
	}
	if response, err := rs.Introspect[*verdictResponse](t.Context(), server, sidecartest.SampleToken); err != nil || !response.Active {
		t.Errorf("%+v, %v", response, err)
	}
}
