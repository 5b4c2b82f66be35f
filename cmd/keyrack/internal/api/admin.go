package api

import (
	"net/http"
	"strings"
	"time"
	"unicode"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// adminRoutes are the routes for operators.
func (a *Server) adminRoutes() map[string]route {
	return map[string]route{
		IntegrationsPath + "/{id}/import": {http.MethodPost, ScopeAdmin, a.importToken},
		IntegrationsPath + "/{id}/probe":  {http.MethodPost, ScopeAdmin, a.probe},
		IntegrationsPath + "/{id}/settle": {http.MethodPost, ScopeAdmin, a.settle},
		IntegrationsPath + "/{id}/label":  {http.MethodPost, ScopeAdmin, a.label},
		IntegrationsPath + "/{id}/name":   {http.MethodPost, ScopeAdmin, a.name},
		ConnectPath:                       {http.MethodPost, ScopeAdmin, a.connect},
		subscriptionsPath:                 {http.MethodGet, scopeRead, a.subscriptions},
		subscriptionsPath + "/pause":      {http.MethodPost, ScopeAdmin, a.pause},
		subscriptionsPath + "/resume":     {http.MethodPost, ScopeAdmin, a.resume},
		subscriptionsPath + "/rewind":     {http.MethodPost, ScopeAdmin, a.rewind},
	}
}

const (
	subscriptionsPath = "/v1/subscriptions"
	// identifierLimit is the longest valid identifier in bytes, as in package events.
	identifierLimit = 128
	// TokenLimit is the longest valid token in bytes, as in package events.
	TokenLimit = 1024
)

// ImportRequest is an integration that a person imports, without its id.
type ImportRequest struct {
	Name           string    `json:"integration_name,omitempty"`
	Enterprise     string    `json:"enterprise,omitempty"`
	EnterpriseName string    `json:"enterprise_name,omitempty"`
	Service        string    `json:"service,omitempty"`
	ServiceName    string    `json:"service_name,omitempty"`
	Token          string    `json:"token"`
	Labels         Labels    `json:"labels,omitempty"`
	Disabled       bool      `json:"disabled,omitempty"`
	CreatedUtc     time.Time `json:"created_utc,omitzero"`
}

// ImportResult is what became of an import, and the verdict on the token afterwards.
type ImportResult struct {
	Outcome lifecycle.Outcome `json:"outcome"`
	Cause   string            `json:"cause,omitempty"`
	// Digest tells the token apart from others of the integration.
	Digest string `json:"digest"`
	// Asking is true if Mews is asked. The integration then shows the answer.
	Asking bool `json:"asking"`
	Introspection
}

// importToken imports an integration.
func (a *Server) importToken(w http.ResponseWriter, req *http.Request) {
	one, ok := readJSON[ImportRequest](w, req, jsonShape)
	if !ok {
		return
	}
	id := typed.ID(req.PathValue("id"))
	one.Enterprise, one.Service = typed.ID(one.Enterprise), typed.ID(one.Service)
	token, err := typed.Token(one.Token)
	switch {
	case one.Token == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "token is missing")
		return
	case err != nil:
		refuse(w, http.StatusBadRequest, "invalid_request", "token is not valid: "+err.Error())
		return
	case len(token.Reveal()) > TokenLimit:
		refuse(w, http.StatusBadRequest, "invalid_request", "token is too long")
		return
	case !ValidIdentifier(id) || one.Enterprise != "" && !ValidIdentifier(one.Enterprise) || one.Service != "" && !ValidIdentifier(one.Service):
		refuse(w, http.StatusBadRequest, "invalid_request", "an identifier must have 1 to 128 bytes and no control characters")
		return
	}
	if _, err := lifecycle.NewLabels(one.Labels); err != nil {
		refuse(w, http.StatusBadRequest, "invalid_request", "labels are not valid: "+err.Error())
		return
	}
	receipt, err := a.Rack.Import(req.Context(), keyrack.Import{
		Integration: lifecycle.Named{ID: id, Name: one.Name},
		Enterprise:  lifecycle.Named{ID: one.Enterprise, Name: one.EnterpriseName},
		Service:     lifecycle.Named{ID: one.Service, Name: one.ServiceName},
		Token:       token, Labels: one.Labels, Disabled: one.Disabled, CreatedUtc: one.CreatedUtc,
	})
	if err != nil {
		a.fail(w, req, err)
		return
	}
	e, err := a.Rack.ExplainToken(req.Context(), token.Reveal())
	if err != nil {
		a.fail(w, req, err)
		return
	}
	answer(w, http.StatusOK, ImportResult{
		Outcome: receipt.Decision.Outcome, Cause: receipt.Decision.Cause, Digest: e.Token.String(),
		Asking: a.AsksMews, Introspection: introspectionOf(e.Verdict, e.At),
	})
}

// ValidIdentifier reports whether id can be an identifier.
func ValidIdentifier(id string) bool {
	return id != "" && len(id) <= identifierLimit && !strings.ContainsFunc(id, unicode.IsControl)
}

// probe asks Mews about an integration. The answer comes later and changes the integration.
func (a *Server) probe(w http.ResponseWriter, req *http.Request) {
	if !a.AsksMews {
		refuse(w, http.StatusConflict, "no_prober", "Keyrack is not set to ask Mews; set --connector-url, --client-name and KEYRACK_CLIENT_TOKEN")
		return
	}
	if _, err := a.Rack.Probe(req.Context(), req.PathValue("id"), callerOf(req)); err != nil {
		a.fail(w, req, err)
		return
	}
	answer(w, http.StatusOK, struct {
		Asking bool `json:"asking"`
	}{true})
}
