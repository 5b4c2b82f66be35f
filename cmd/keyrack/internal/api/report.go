package api

import (
	"errors"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
)

const reportShape = "the body must be a JSON object with only token, status (a number), elapsed_ms (milliseconds since the request to Mews began) and, if you like, operation; a time of day is not taken, since clocks differ: send elapsed_ms"

// ReportRequest is what the application saw on a call of its own to Mews.
type ReportRequest struct {
	Token  string `json:"token"`
	Status int    `json:"status"`
	// ElapsedMS is how long ago the request to Mews began.
	ElapsedMS *int64 `json:"elapsed_ms"`
	// Operation is the path of the request.
	Operation string `json:"operation,omitempty"`
}

// ReportResult is what became of a report, and the verdict on the token afterwards.
type ReportResult struct {
	// Journalled is false if the report brought nothing new.
	Journalled bool `json:"journalled"`
	Introspection
}

// report takes in what the application saw on a call of its own to Mews.
func (a *Server) report(w http.ResponseWriter, req *http.Request) {
	report, ok := readJSON[ReportRequest](w, req, reportShape)
	if !ok {
		return
	}
	repeat := req.Header.Get("Idempotency-Key")
	switch {
	case report.Token == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "token is missing")
		return
	case report.Status < 100 || report.Status > 599:
		refuse(w, http.StatusBadRequest, "invalid_request", "status must be the status of Mews's answer, from 100 to 599")
		return
	case report.ElapsedMS == nil || *report.ElapsedMS < 0:
		refuse(w, http.StatusBadRequest, "invalid_request", "elapsed_ms must be how many milliseconds ago the request to Mews began, 0 or more")
		return
	case len(repeat) > repeatLimit:
		refuse(w, http.StatusBadRequest, "invalid_request", "Idempotency-Key has more than 255 bytes")
		return
	}
	var receipt keyrack.Receipt
	var err error
	if a.repeats.first(callerOf(req), repeat) {
		const most = int64(1<<63-1) / int64(time.Millisecond)
		receipt, err = a.Rack.Report(req.Context(), keyrack.Report{
			Token: keyrack.NewToken(report.Token), Status: report.Status, Operation: report.Operation,
			Elapsed: time.Duration(min(*report.ElapsedMS, most)) * time.Millisecond,
		})
		if err != nil {
			a.repeats.forget(callerOf(req), repeat)
		}
	}
	switch {
	case errors.Is(err, keyrack.ErrNotFound):
		refuse(w, http.StatusNotFound, "unfamiliar_token", "no integration has or had this token")
	case errors.Is(err, keyrack.ErrInvalid):
		refuse(w, http.StatusBadRequest, "invalid_request", "operation must be the path of the request, such as reservations/getAll/2023-06-06")
	case err != nil:
		a.fail(w, req, err)
	default:
		answer(w, http.StatusOK, ReportResult{!receipt.ID.IsZero(), introspectionOf(a.Rack.Check(report.Token), time.Now())})
	}
}
