package api

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// ConnectPath is where a token is connected whose integration nobody knows.
const ConnectPath = "/v1/connect"

// ConnectRequest is a token that somebody pasted, and what is known about it.
type ConnectRequest struct {
	Token          string `json:"token"`
	Labels         Labels `json:"labels,omitempty"`
	Enterprise     string `json:"enterprise,omitempty"`
	EnterpriseName string `json:"enterprise_name,omitempty"`
	Service        string `json:"service,omitempty"`
	ServiceName    string `json:"service_name,omitempty"`
	// KeepUnproved keeps the token although Mews does not answer.
	KeepUnproved bool `json:"keep_unproved,omitempty"`
}

// ConnectResult is whose token it is, and the verdict on it.
type ConnectResult struct {
	// Nameless: the integration's id is one of ours until a webhook or an import tells it.
	Nameless       bool   `json:"nameless"`
	EnterpriseName string `json:"enterprise_name,omitempty"`
	Service        *Named `json:"service,omitempty"`
	Introspection
}

const (
	// connectFor bounds how long Mews is waited for.
	connectFor = 10 * time.Second

	connectShape = "the body must be a JSON object with token, and perhaps labels, enterprise, enterprise_name, service, service_name and keep_unproved"
)

// connect takes in a token without the id of its integration.
func (a *Server) connect(w http.ResponseWriter, req *http.Request) {
	one, ok := readJSON[ConnectRequest](w, req, connectShape)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(req.Context(), connectFor)
	defer cancel()
	c, err := a.Rack.Connect(ctx, keyrack.Connection{
		Token: keyrack.NewToken(one.Token), Labels: one.Labels,
		Enterprise: lifecycle.Named{ID: one.Enterprise, Name: one.EnterpriseName}, Service: lifecycle.Named{ID: one.Service, Name: one.ServiceName},
		KeepUnproved: one.KeepUnproved, By: callerOf(req),
	})
	switch {
	case errors.Is(err, keyrack.ErrRejected):
		refuse(w, http.StatusUnprocessableEntity, "rejected", "Mews refuses this token and takes another hotel's; get the token that Mews shows now")
	case errors.Is(err, keyrack.ErrUnattributed):
		refuse(w, http.StatusUnprocessableEntity, "unattributed", "Mews answered 401: the token is wrong, or KEYRACK_CLIENT_TOKEN or --connector-url is; no other hotel's token works, which would tell which")
	case errors.Is(err, keyrack.ErrUnanswered):
		refuse(w, http.StatusGatewayTimeout, "unanswered", "Mews did not answer about the token; try again, or set keep_unproved to keep it until Mews answers")
	case errors.Is(err, keyrack.ErrInvalid):
		refuse(w, http.StatusBadRequest, "invalid_request", connectShape+"; a token has 1 to 1024 bytes without white space, an integration has "+labelRule+", and the enterprise must be the one that Mews names")
	case err != nil:
		a.fail(w, req, err)
	default:
		answer(w, http.StatusOK, ConnectResult{c.Nameless, c.Enterprise.Name, namedOf(c.Service), introspectionOf(c.Verdict, time.Now())})
	}
}

// NameRequest says which nameless integration is this one, and who says so.
type NameRequest struct {
	Nameless string `json:"nameless"`
	Who      string `json:"who"`
	Why      string `json:"why"`
}

const nameShape = "the body must be a JSON object with nameless (the id of a nameless integration of the same enterprise), who and why (at most 256 bytes each); the path names the integration of Mews that it is"

// name gives a nameless integration the name that is in the path.
func (a *Server) name(w http.ResponseWriter, req *http.Request) {
	said, ok := readJSON[NameRequest](w, req, nameShape)
	if !ok {
		return
	}
	id := req.PathValue("id")
	receipt, err := a.Rack.Act(req.Context(), keyrack.Act{
		Kind: lifecycle.KindName, Integration: id, Nameless: said.Nameless,
		Who: keyrack.NewToken(said.Who), Why: keyrack.NewToken(said.Why), By: callerOf(req),
	})
	switch {
	case errors.Is(err, keyrack.ErrInvalid), errors.Is(err, store.ErrConflict): // it may have a name already
		refuse(w, http.StatusBadRequest, "invalid_request", nameShape)
	case err != nil:
		a.fail(w, req, err)
	default:
		answer(w, http.StatusOK, SettleResult{
			Outcome: receipt.Decision.Outcome, Cause: receipt.Decision.Cause,
			Asking: a.AsksMews && receipt.Decision.Outcome == lifecycle.Applied, Introspection: introspectionOf(a.Rack.CheckIntegration(id), time.Now()),
		})
	}
}
