package connector

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strconv"
	"strings"
)

var (
	// ErrSilent: there was no answer about the token. Every error of
	// [Client.Probe] wraps it.
	ErrSilent = errors.New("connector: no answer")
	// ErrOptions: a client cannot be made of these options. Every error of [New]
	// wraps it.
	ErrOptions = errors.New("connector: options")
)

// Class says why there was no answer. It is fit for a metric's label.
type Class uint8

const (
	// Unexplained is no class: the zero value.
	Unexplained Class = iota
	// Unsendable: nothing was sent, for there is no token, or one that JSON cannot hold.
	Unsendable
	// Limited: nothing was sent, for the token has had its requests, or the time
	// that Mews asked to be left alone is not over. Answer.RetryAfter says when.
	Limited
	// Ended: the caller's context ended. The error wraps its Err.
	Ended
	// TimedOut: the answer was not there in time.
	TimedOut
	// Unresolved: the name of the host could not be looked up.
	Unresolved
	// Untrusted: the host's certificate did not hold.
	Untrusted
	// Unreachable: there was no connection, or it broke.
	Unreachable
	// OtherStatus: a status that says nothing of the token; a redirect is one.
	OtherStatus
	// Malformed: 200, but not with a configuration: too long, not strict JSON, or
	// without an enterprise. Something other than Mews answers so.
	Malformed
	numClasses
)

var classNames = [numClasses]string{
	Unexplained: "unexplained",
	Unsendable:  "unsendable",
	Limited:     "limited",
	Ended:       "ended",
	TimedOut:    "timed out",
	Unresolved:  "unresolved",
	Untrusted:   "untrusted",
	Unreachable: "unreachable",
	OtherStatus: "other status",
	Malformed:   "malformed",
}

// String returns the class's name in lower case.
func (c Class) String() string {
	if c >= numClasses {
		return classNames[Unexplained]
	}
	return classNames[c]
}

// Error says why there was no answer, in fixed words and a number: nothing that
// was sent or received, and no other error's text, ever gets into it. What else
// is known of the exchange stands in the [Answer] beside it.
type Error struct {
	Class  Class
	Status int // the HTTP status; 0 where there was no response

	ended error // context.Canceled or context.DeadlineExceeded, where Class is Ended
}

// Error returns the text, such as "connector: no answer: malformed, status 200".
func (e *Error) Error() string {
	var parts []string
	if e.Class != OtherStatus || e.Status == 0 {
		parts = append(parts, e.Class.String())
	}
	if e.ended != nil {
		parts = append(parts, e.ended.Error())
	}
	if e.Status != 0 {
		parts = append(parts, "status "+strconv.Itoa(e.Status))
	}
	return ErrSilent.Error() + ": " + strings.Join(parts, ", ")
}

// Unwrap returns [ErrSilent] and, where the caller's context ended, its Err.
func (e *Error) Unwrap() []error {
	if e.ended != nil {
		return []error{ErrSilent, e.ended}
	}
	return []error{ErrSilent}
}

// failure turns what a transport or a body reported into an Error. Of err it
// looks at the type alone: its text may quote anything. outer is the caller's
// context, inner the one that ends with the time-out.
func failure(outer, inner context.Context, err error, status int) *Error {
	if outer.Err() != nil {
		return ended(outer, status)
	}
	e := &Error{Class: Unreachable, Status: status}
	if timeout, ok := errors.AsType[net.Error](err); inner.Err() != nil || ok && timeout.Timeout() {
		e.Class = TimedOut
	} else if _, ok := errors.AsType[*net.DNSError](err); ok {
		e.Class = Unresolved
	} else if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		e.Class = Untrusted
	}
	return e
}

// ended tells that the caller's context ended.
func ended(ctx context.Context, status int) *Error {
	return &Error{Class: Ended, Status: status, ended: ctx.Err()}
}
