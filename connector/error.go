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
	// ErrSilent: there was no answer about the token. Every error of [Client.Probe]
	// wraps it.
	ErrSilent = errors.New("connector: no answer")
	// ErrOptions: an argument or option is invalid. Every error of [New] wraps it.
	ErrOptions = errors.New("connector: options")
)

// Class is the reason for having no answer. It can serve as a metric's label.
type Class uint8

const (
	// Unexplained is the zero value, which no error has.
	Unexplained Class = iota
	// Unsendable: nothing was sent, because there is no token, or one that JSON cannot
	// hold.
	Unsendable
	// Limited: nothing was sent, because the token has used up its requests or Mews
	// asked for a pause. Answer.RetryAfter says how long to wait.
	Limited
	// Ended: the caller's context ended. The error wraps its Err.
	Ended
	// TimedOut: the answer did not come in time.
	TimedOut
	// Unresolved: the name of the host could not be looked up.
	Unresolved
	// Untrusted: the host's certificate is not valid.
	Untrusted
	// Unreachable: there was no connection, or it broke.
	Unreachable
	// OtherStatus: a status that says nothing about the token, such as a redirect.
	OtherStatus
	// Malformed: a 200 whose body is too long, not strict JSON, or without an
	// enterprise, as something other than Mews may send.
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

// Error says why there was no answer, in fixed words and a number. It never holds
// anything that was sent or received, nor another error's text. The [Answer] beside it
// holds what else is known.
type Error struct {
	Class  Class
	Status int // the HTTP status; 0 if there was no response

	ended error // context.Canceled or context.DeadlineExceeded if Class is Ended
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

// Unwrap returns [ErrSilent] and, if the caller's context ended, its Err.
func (e *Error) Unwrap() []error {
	if e.ended != nil {
		return []error{ErrSilent, e.ended}
	}
	return []error{ErrSilent}
}

// failure turns an error of a transport or a body into an Error. It looks only at the
// type of err, whose text may quote anything. outer is the caller's context, inner the
// one that ends with the time-out.
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

// ended returns the Error for a caller's context that has ended.
func ended(ctx context.Context, status int) *Error {
	return &Error{Class: Ended, Status: status, ended: ctx.Err()}
}
