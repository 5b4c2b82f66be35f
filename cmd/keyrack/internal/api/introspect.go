package api

import (
	"bytes"
	"errors"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Introspection is the answer about a token, after RFC 7662. Section 2.2 wants nothing but
// active said about a token that is not active. That is meant for third parties; callers
// here hold the token and decide what to do about its hotel.
type Introspection struct {
	// Active is true only for Valid.
	Active bool             `json:"active"`
	Status lifecycle.Status `json:"status"`
	Reason lifecycle.Reason `json:"reason"`
	// Guess is always valid or invalid.
	Guess   lifecycle.Status `json:"guess"`
	Assumed bool             `json:"assumed"`
	// Trouble: Mews refuses probes whatever the token, and the status is what it was
	// before.
	Trouble     bool            `json:"trouble"`
	State       lifecycle.State `json:"state"`
	Integration string          `json:"integration,omitempty"`
	Enterprise  string          `json:"enterprise,omitempty"`
	Labels      Labels          `json:"labels,omitempty"`
	// Evidence is the evidence behind the status, and AgeSeconds its age. Both may be
	// missing.
	Evidence   *Evidence `json:"evidence,omitempty"`
	AgeSeconds *int64    `json:"age_seconds,omitempty"`
}

// Evidence is the evidence behind a verdict.
type Evidence struct {
	Kind   lifecycle.Kind `json:"kind"`
	Action string         `json:"action,omitempty"` // of a delivery
	At     time.Time      `json:"at"`
}

// Introspected is the Introspection that an answer begins with: those that say more embed it.
func (i Introspection) Introspected() Introspection { return i }

func introspectionOf(v keyrack.Verdict, now time.Time) Introspection {
	i := Introspection{
		Active: v.Active(), Status: v.Status, Reason: v.Reason, Guess: v.Guess(), Assumed: v.Assumed, Trouble: v.Trouble,
		State: v.State, Integration: v.Integration, Enterprise: v.Enterprise, Labels: labelsOf(v.Labels),
	}
	if v.Evidence.At == 0 {
		return i
	}
	i.Evidence = &Evidence{Kind: v.Evidence.Kind, At: v.Evidence.At.Time()}
	if a := v.Evidence.Action; a != lifecycle.ActionUnknown {
		i.Evidence.Action = a.String()
	}
	seconds := max(0, int64(lifecycle.At(now).Sub(v.Evidence.At)/time.Second))
	i.AgeSeconds = &seconds
	return i
}

// appendJSON appends what encoding/json makes of an Introspection. It is written by hand
// because most requests are answered with it, and reflection is a third of their cost.
func (i *Introspection) appendJSON(b []byte) []byte {
	b = strconv.AppendBool(append(b, `{"active":`...), i.Active)
	b = append(append(b, `,"status":"`...), i.Status.String()...)
	b = append(append(b, `","reason":"`...), i.Reason.String()...)
	b = append(append(b, `","guess":"`...), i.Guess.String()...)
	b = strconv.AppendBool(append(b, `","assumed":`...), i.Assumed)
	b = strconv.AppendBool(append(b, `,"trouble":`...), i.Trouble)
	b = append(append(b, `,"state":"`...), i.State.String()...)
	b = append(b, '"')
	if i.Integration != "" {
		b, _ = jsontext.AppendQuote(append(b, `,"integration":`...), i.Integration) // valid UTF-8, or it would not be known
	}
	if i.Enterprise != "" {
		b, _ = jsontext.AppendQuote(append(b, `,"enterprise":`...), i.Enterprise)
	}
	for n, key := range slices.Sorted(maps.Keys(i.Labels)) { // whose grammar needs no escaping
		b = append(b, [...]string{`,"labels":{"`, `","`}[min(n, 1)]...)
		b = append(append(append(b, key...), `":"`...), i.Labels[key]...)
	}
	if len(i.Labels) > 0 {
		b = append(b, `"}`...)
	}
	if e := i.Evidence; e != nil {
		b = append(append(b, `,"evidence":{"kind":"`...), e.Kind.String()...)
		b = append(b, '"')
		if e.Action != "" {
			b = append(append(b, `,"action":"`...), e.Action...)
			b = append(b, '"')
		}
		b = e.At.AppendFormat(append(b, `,"at":"`...), time.RFC3339Nano)
		b = append(b, `"}`...)
	}
	if i.AgeSeconds != nil {
		b = strconv.AppendInt(append(b, `,"age_seconds":`...), *i.AgeSeconds, 10)
	}
	return append(b, "}\n"...)
}

const formMedia = "application/x-www-form-urlencoded"

// jsonMedia is the value of a header; it is never changed.
var jsonMedia = []string{"application/json"}

// exchange is the memory of one question and its answer.
type exchange struct {
	question bytes.Buffer
	answer   []byte
}

var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// introspect answers whether a token is valid. An unknown token is not an error (RFC 7662,
// section 2.2). Only the body is read: URLs end up in logs.
func (a *Server) introspect(w http.ResponseWriter, req *http.Request) {
	if given := req.Header.Get("Content-Type"); given != formMedia {
		if media, _, err := mime.ParseMediaType(given); err != nil || media != formMedia {
			refuse(w, http.StatusBadRequest, "invalid_request", "the body must be "+formMedia)
			return
		}
	}
	x := exchanges.Get().(*exchange)
	defer x.release()
	_, err := x.question.ReadFrom(http.MaxBytesReader(w, req.Body, BodyLimit))
	if large := new(http.MaxBytesError); errors.As(err, &large) {
		refuse(w, http.StatusRequestEntityTooLarge, "invalid_request", "the body is too large")
		return
	}
	var form url.Values
	if err == nil {
		form, err = url.ParseQuery(x.question.String())
	}
	tokens := form["token"]
	switch {
	case err != nil:
		refuse(w, http.StatusBadRequest, "invalid_request", "the body is not a complete form")
	case len(tokens) != 1 || tokens[0] == "":
		refuse(w, http.StatusBadRequest, "invalid_request", "the body must hold the form field token once")
	default:
		i := introspectionOf(a.Rack.Check(tokens[0]), time.Now())
		x.answer = i.appendJSON(x.answer[:0])
		w.Header()["Content-Type"] = jsonMedia
		w.Header().Set("Content-Length", strconv.Itoa(len(x.answer)))
		_, _ = w.Write(x.answer)
	}
}

// release returns the memory to the pool, without the token that was in it.
func (x *exchange) release() {
	clear(x.question.Bytes())
	x.question.Reset()
	exchanges.Put(x)
}
