package events

import (
	"errors"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// The two ways in which a body can be wrong. Every error of [Decode] unwraps to
// exactly one of them.
var (
	// ErrSyntax: the body is not strict JSON, so its meaning is not certain. It is
	// broken or cut short, repeats a name within an object, is not UTF-8, goes on
	// after its end, nests objects and arrays more than 32 deep, or spells the name
	// of something essential in the wrong case. An HTTP receiver answers 400.
	ErrSyntax = errors.New("events: not strict JSON")

	// ErrShape: the body is strict JSON, but something essential is missing. Sending
	// it again would not help, so an HTTP receiver keeps it and answers 2xx.
	ErrShape = errors.New("events: JSON of an unexpected shape")
)

// Error says where a body is wrong, and why. Its text consists of fixed phrases, names of
// Mews's specification and one number. It holds no byte of the body, so it may be logged.
type Error struct {
	// Place is a JSON pointer (RFC 6901) made of names of the specification, ""
	// for the whole body. It ends with "*" for a member that the specification
	// does not know, and for everything inside of one.
	Place string
	// Offset is how many bytes of the body come before the value or the byte in
	// question; where something is missing, before the value that lacks it.
	// 0 in an error of [Event.Append].
	Offset int64
	// Reason is one of a small, fixed set of phrases, fit for a metric's label.
	Reason string

	kind    error // ErrSyntax or ErrShape
	partial *Event
}

// Partial returns what could be read of a body that is [ErrShape], for somebody who keeps
// it: the action and the integration if they are there, and a token if nothing says whose
// it is. Something essential is missing: it is no event that happened. For ErrSyntax it is
// zero.
func (e *Error) Partial() Event {
	if e.partial == nil {
		return Event{}
	}
	return *e.partial
}

// mendable reports whether the fault may lie in something that the event can do without.
func (e *Error) mendable() bool {
	return e.Reason == reasonTwice || e.Reason == reasonUTF8 || e.Reason == reasonMalformed
}

// The reasons.
const (
	reasonEmpty     = "the body is empty"
	reasonCut       = "the body ends too early"
	reasonMalformed = "malformed JSON"
	reasonTwice     = "a name appears twice"
	reasonUTF8      = "broken UTF-8"
	reasonDeep      = "nested too deep"
	reasonTrailing  = "data after the end"
	reasonCase      = "a required name in the wrong case"
	reasonMissing   = "missing"
	reasonNotObject = "not an object"
	reasonNotText   = "not a string"
	reasonNotFlag   = "neither true nor false"
	reasonNotTime   = "not a time in ISO 8601"
	reasonTooLong   = "too long"
	reasonControl   = "a control character"
	reasonNothing   = "an event that says nothing"
)

// Error returns the text, such as
// "events: not strict JSON: a name appears twice at /Data/Integration, offset 95".
func (e *Error) Error() string {
	place := e.Place
	if place == "" {
		place = "the top"
	}
	kind := "events"
	if e.kind != nil {
		kind = e.kind.Error()
	}
	return kind + ": " + e.Reason + " at " + place + ", offset " + strconv.FormatInt(e.Offset, 10)
}

// Unwrap returns [ErrSyntax] or [ErrShape].
func (e *Error) Unwrap() error { return e.kind }

// places are the pointers that an Error may show.
var places = func() map[string]bool {
	m := map[string]bool{
		"/Action": true, "/Data": true,
		"/EnterpriseId": true, "/IntegrationId": true, "/Events": true,
		"/Data/Requestor/Name": true, "/Data/Requestor/Email": true,
	}
	for _, name := range propertyNames {
		m["/Data/"+name] = true
	}
	for _, p := range []property{enterprise, service, integration} {
		m["/Data/"+propertyNames[p]+"/Id"] = true
		m["/Data/"+propertyNames[p]+"/Name"] = true
	}
	return m
}()

// placeOf cuts a pointer into a body down to what the specification knows.
func placeOf(pointer jsontext.Pointer) string {
	known := ""
	for rest := string(pointer); rest != ""; {
		end := strings.IndexByte(rest[1:], '/') + 1
		if end == 0 {
			end = len(rest)
		}
		if !places[known+rest[:end]] {
			return known + "/*"
		}
		known, rest = known+rest[:end], rest[end:]
	}
	return known
}
