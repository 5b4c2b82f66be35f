package api

import (
	"errors"
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
	e, err := a.explained(req)
	switch {
	case errors.Is(err, keyrack.ErrInvalid):
		refuse(w, http.StatusBadRequest, "invalid_request", "at must be a time of the past in RFC 3339, such as 2026-05-01T10:00:00Z")
	case errors.Is(err, keyrack.ErrNotFound) && !e.Since.IsZero():
		refuse(w, http.StatusNotFound, "not_found", "the journal knows of the integration since "+e.Since.UTC().Format(time.RFC3339))
	case err != nil:
		a.fail(w, req, err)
	case prefersText(req.Header.Get("Accept")):
		say(w, http.StatusOK, e.String())
	default:
		answer(w, http.StatusOK, explanationOf(e))
	}
}

// explained returns the explanation that a request asks for: of now, or of the moment in its
// parameter at. The error wraps keyrack.ErrInvalid where that is no time.
func (a *Server) explained(req *http.Request) (keyrack.Explanation, error) {
	id, query := req.PathValue("id"), req.URL.Query()
	if !query.Has("at") {
		return a.Rack.Explain(req.Context(), id)
	}
	at, err := time.Parse(time.RFC3339, query.Get("at"))
	if err != nil {
		return keyrack.Explanation{}, keyrack.ErrInvalid
	}
	return a.Rack.At(req.Context(), id, at)
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
