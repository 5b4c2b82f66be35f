package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"github.com/keyrack-dev/keyrack"
)

// Problem is an answer other than the one that was asked for, after RFC 9457. Its type is
// about:blank; programs decide by its code. It holds nothing of the request.
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Code has the member name of OAuth 2.0 (RFC 6749, section 5.2), and for questions
	// about a token its value if OAuth has one.
	Code string `json:"error"`
}

// refuse answers with a Problem.
func refuse(w http.ResponseWriter, status int, code, detail string) {
	answerAs(w, "application/problem+json", status, Problem{http.StatusText(status), status, detail, code})
}

// answer answers with JSON.
func answer(w http.ResponseWriter, status int, value any) {
	answerAs(w, "application/json", status, value)
}

func answerAs(w http.ResponseWriter, media string, status int, value any) {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(value); err != nil {
		panic("an answer is not JSON") // a mistake in the wire documents
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
	w.WriteHeader(status)
	_, _ = body.WriteTo(w)
}

// fail answers with an error of the Rack, and logs it unless the caller caused it.
func (a *Server) fail(w http.ResponseWriter, req *http.Request, err error) {
	if refuseError(w, err) == http.StatusServiceUnavailable && req.Context().Err() == nil {
		a.Log.Error("a question could not be answered", "error", err)
	}
}

// refuseError answers with an error of the Rack and returns the status.
func refuseError(w http.ResponseWriter, err error) int {
	var inactive *keyrack.NotActiveError
	switch {
	case errors.As(err, &inactive):
		refuse(w, http.StatusConflict, "not_active", fmt.Sprintf("the verdict on its token is %v: %v", inactive.Verdict.Status, inactive.Verdict.Reason))
		return http.StatusConflict
	case errors.Is(err, keyrack.ErrNoToken):
		refuse(w, http.StatusNotFound, "no_token", "the integration has no token: it was deleted, or its IntegrationCreated has not arrived")
		return http.StatusNotFound
	case errors.Is(err, keyrack.ErrNotFound):
		refuse(w, http.StatusNotFound, "not_found", "the integration is not known; GET /v1/integrations lists all")
		return http.StatusNotFound
	}
	w.Header().Set("Retry-After", "1")
	refuse(w, http.StatusServiceUnavailable, "unavailable", "the store did not answer; try again")
	return http.StatusServiceUnavailable
}
