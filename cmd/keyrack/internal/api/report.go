package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
)

const (
	// clockSkew is how far the clock of a caller may be ahead of ours.
	clockSkew = 5 * time.Second
)

const reportShape = "the body must be a JSON object with only token, status (a number) and began (a time as in RFC 3339)"

// reportRequest is what the application saw on a call of its own to Mews.
type reportRequest struct {
	Token  string    `json:"token"`
	Status int       `json:"status"`
	Began  time.Time `json:"began"`
}

// reportAnswer is what became of a report, and the verdict on the token afterwards.
type reportAnswer struct {
	// Journalled is false if the report brought nothing new.
	Journalled bool `json:"journalled"`
	Introspection
}

// report takes in what the application saw on a call of its own to Mews.
func (a *Server) report(w http.ResponseWriter, req *http.Request) {
	report, ok := readJSON[reportRequest](w, req, reportShape)
	if !ok {
		return
	}
	now := time.Now()
	switch {
	case report.Token == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "token is missing")
		return
	case report.Status < 100 || report.Status > 599:
		refuse(w, http.StatusBadRequest, "invalid_request", "status must be the status of Mews's answer, from 100 to 599")
		return
	case report.Began.IsZero() || report.Began.After(now.Add(clockSkew)):
		refuse(w, http.StatusBadRequest, "invalid_request", "began must be when the request to Mews began, not in the future")
		return
	}
	if report.Began.After(now) {
		report.Began = now
	}
	receipt, err := a.Rack.Report(req.Context(), report.Token, report.Status, report.Began)
	if errors.Is(err, keyrack.ErrNotFound) {
		refuse(w, http.StatusNotFound, "unfamiliar_token", "no integration has or had this token")
		return
	}
	if err != nil {
		a.fail(w, req, err)
		return
	}
	answer(w, http.StatusOK, reportAnswer{!receipt.ID.IsZero(), introspectionOf(a.Rack.Check(report.Token), now)})
}
