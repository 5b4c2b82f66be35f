package main

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack"
)

const (
	// bodyLimit is the largest body of a question or an act, in bytes.
	bodyLimit = 64 << 10
	// clockSkew is how far the clock of whoever reports may be ahead of ours.
	clockSkew = 5 * time.Second
)

// reportAnswer is what became of a report: the verdict on the token afterwards.
type reportAnswer struct {
	// Journalled is false for what told nothing new.
	Journalled bool `json:"journalled"`
	introspection
}

// evidence takes in what the application saw on a call of its own to Mews.
func (a *api) evidence(w http.ResponseWriter, req *http.Request) {
	const form = "application/json"
	if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != form {
		refuse(w, http.StatusBadRequest, "invalid_request", "the body must be "+form)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, bodyLimit))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, "invalid_request", "the body is too large")
		return
	}
	var report struct {
		Token  string    `json:"token"`
		Status int       `json:"status"`
		Began  time.Time `json:"began"`
	}
	if err == nil {
		err = json.Unmarshal(body, &report, json.RejectUnknownMembers(true))
	}
	now := time.Now()
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "invalid_request",
			"the body must be a JSON object with token, status (a number) and began (a time by RFC 3339), and no more")
		return
	case report.Token == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "there is no token")
		return
	case report.Status < 100 || report.Status > 599:
		refuse(w, http.StatusBadRequest, "invalid_request", "status is the one of Mews's answer, from 100 to 599")
		return
	case report.Began.IsZero() || report.Began.After(now.Add(clockSkew)):
		refuse(w, http.StatusBadRequest, "invalid_request", "began is when the request to Mews began, and not in the future")
		return
	}
	if report.Began.After(now) {
		report.Began = now
	}
	receipt, err := a.rack.Report(req.Context(), report.Token, report.Status, report.Began)
	if errors.Is(err, keyrack.ErrNotFound) {
		refuse(w, http.StatusNotFound, "unfamiliar_token", "no integration has or had this token")
		return
	}
	if err != nil {
		a.fail(w, req, err)
		return
	}
	answer(w, http.StatusOK, reportAnswer{!receipt.ID.IsZero(), introspectionOf(a.rack.Check(report.Token), now)})
}
