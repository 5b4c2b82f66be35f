package api

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack"
)

// show answers with one integration.
func (a *Server) show(w http.ResponseWriter, req *http.Request) {
	id := req.PathValue("id")
	record, ok := a.Rack.Record(id)
	if !ok {
		refuseError(w, keyrack.ErrNotFound)
		return
	}
	answer(w, http.StatusOK, integrationOf(&record, a.Rack.CheckIntegration(id), time.Now()))
}

// explain answers why the verdict on the current token of an integration is what it is.
func (a *Server) explain(w http.ResponseWriter, req *http.Request) {
	e, err := a.Rack.Explain(req.Context(), req.PathValue("id"))
	switch {
	case err != nil:
		a.fail(w, req, err)
	case prefersText(req.Header.Get("Accept")):
		say(w, http.StatusOK, e.String())
	default:
		answer(w, http.StatusOK, explanationOf(e))
	}
}

// prefersText reports whether an Accept header prefers plain text to JSON.
func prefersText(accept string) bool {
	quality := map[string]float64{}
	for one := range strings.SplitSeq(accept, ",") {
		media, params, err := mime.ParseMediaType(one)
		if err != nil {
			continue
		}
		q := 1.0
		if given, ok := params["q"]; ok {
			q, _ = strconv.ParseFloat(given, 64)
		}
		quality[media] = max(quality[media], q)
	}
	return quality["text/plain"] > max(quality["application/json"], quality["application/*"])
}

// TokenAnswer is a token that is issued, with the verdict on it.
type TokenAnswer struct {
	Token string `json:"token"`
	Introspection
}

// token issues the current token of an integration, unless the verdict on it is invalid. The
// journal records it first.
func (a *Server) token(w http.ResponseWriter, req *http.Request) {
	caller := callerOf(req)
	token, v, err := a.Rack.IssueToken(req.Context(), req.PathValue("id"), caller)
	if err != nil {
		a.fail(w, req, err)
		return
	}
	a.Metrics.TokenIssued(caller)
	answer(w, http.StatusOK, TokenAnswer{token.Reveal(), introspectionOf(v, time.Now())})
}
