package main

import (
	"errors"
	"mime"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// introspectLimit is the largest body of a question, in bytes.
const introspectLimit = 64 << 10

// introspection is the answer to a question about a token, after RFC 7662. Its
// section 2.2 would have nothing but active said about a token that is not:
// that is for third parties, and whoever asks here holds the token and
// decides what to do about its hotel.
type introspection struct {
	// Active is true for Valid alone.
	Active bool             `json:"active"`
	Status lifecycle.Status `json:"status"`
	Reason lifecycle.Reason `json:"reason"`
	// Guess is valid or invalid whatever the status is.
	Guess       lifecycle.Status `json:"guess"`
	Assumed     bool             `json:"assumed"`
	State       lifecycle.State  `json:"state"`
	Integration string           `json:"integration,omitempty"`
	Enterprise  string           `json:"enterprise,omitempty"`
	// Evidence is what the status stands on, and AgeSeconds its age; both are
	// missing where there is none.
	Evidence   *evidence `json:"evidence,omitempty"`
	AgeSeconds *int64    `json:"age_seconds,omitempty"`
}

type evidence struct {
	Kind   lifecycle.Kind `json:"kind"`
	Action string         `json:"action,omitempty"` // of a delivery
	At     time.Time      `json:"at"`
}

func introspectionOf(v keyrack.Verdict, now time.Time) introspection {
	i := introspection{
		Active: v.Active(), Status: v.Status, Reason: v.Reason, Guess: v.Guess, Assumed: v.Assumed,
		State: v.State, Integration: v.Integration, Enterprise: v.Enterprise,
	}
	if v.Evidence.At == 0 {
		return i
	}
	i.Evidence = &evidence{Kind: v.Evidence.Kind, At: v.Evidence.At.Time()}
	if a := v.Evidence.Action; a != lifecycle.ActionUnknown {
		i.Evidence.Action = a.String()
	}
	seconds := max(0, int64(v.Age(now)/time.Second))
	i.AgeSeconds = &seconds
	return i
}

// introspect answers whether a token is valid. A token that nobody knows is no
// error (RFC 7662, section 2.2). Only the body is read: what is in a URL ends
// up in logs.
func (a *api) introspect(w http.ResponseWriter, req *http.Request) {
	const form = "application/x-www-form-urlencoded"
	if media, _, err := mime.ParseMediaType(req.Header.Get("Content-Type")); err != nil || media != form {
		refuse(w, http.StatusBadRequest, "invalid_request", "the body must be "+form)
		return
	}
	req.Body = http.MaxBytesReader(w, req.Body, introspectLimit)
	req.URL.RawQuery = ""
	err := req.ParseForm()
	var large *http.MaxBytesError
	switch tokens := req.PostForm["token"]; {
	case errors.As(err, &large):
		refuse(w, http.StatusRequestEntityTooLarge, "invalid_request", "the body is too large")
	case err != nil:
		refuse(w, http.StatusBadRequest, "invalid_request", "the body is not a form, or did not come whole")
	case len(tokens) != 1 || tokens[0] == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "the form field token must be there once, in the body")
	default:
		answer(w, http.StatusOK, introspectionOf(a.rack.Check(tokens[0]), time.Now()))
	}
}
