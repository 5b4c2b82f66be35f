package connector

import (
	"context"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Prober asks Mews whether a token works. [Client] is one; an application may bring
// another, over its own client of the Connector API. A Prober must
//
//   - be safe for concurrent use, return soon after ctx ends, and not retain the
//     token;
//   - return an error if and only if the answer's Kind is Silent. An error means "no
//     answer". It says nothing about the token, least of all that it is invalid. The
//     answer's Began, Status, RetryAfter and RequestID are still set if known;
//   - never let a token into an error or an answer, whatever the other side sends;
//   - return Accepted only if the answer names the enterprise. If the caller names one,
//     ask a token that covers several whether it covers that one. The answer for a token
//     of another enterprise is Accepted with that other one; set Portfolio only if
//     nobody can tell.
type Prober interface {
	Probe(ctx context.Context, token lifecycle.Token, enterprise string) (Answer, error)
}

// Kind says what an answer is worth. The zero value is Silent.
type Kind uint8

const (
	// Silent: anything else. It says nothing about the token.
	Silent Kind = iota
	// Accepted: 200 with an enterprise. The token worked when the request began.
	Accepted
	// Unauthorized: 401. It may be about the token, the ClientToken, a permission or
	// the enterprise; one answer alone does not tell which.
	Unauthorized
)

// String returns the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Silent:
		return "silent"
	case Accepted:
		return "accepted"
	case Unauthorized:
		return "unauthorized"
	}
	return "unknown"
}

// Answer is Mews's answer to one probe. It holds no secret and no personal data. The
// zero value is the Silent answer to a probe that was never sent.
type Answer struct {
	Kind Kind
	// Status is the HTTP status; 0 if there was no response.
	Status int
	// Began is when the request began: after any waiting and before its first byte
	// was sent. What the answer says was true then or later. Zero if no request was
	// sent.
	Began time.Time
	// Enterprise is the owner of the token, according to Mews. An Accepted answer
	// always has its ID, and usually its name.
	Enterprise lifecycle.Named
	// Service is the service that the token is limited to; zero for most tokens.
	Service lifecycle.Named
	// Portfolio: the token covers several enterprises, Enterprise stands for the
	// portfolio itself, and whether the token covers the enterprise that was asked about
	// is not known.
	Portfolio bool
	// RetryAfter is how long the other side asks to be left alone: 0 if it did not
	// say, at most an hour. Only Silent answers have it.
	RetryAfter time.Duration
	// RequestID is Mews's Request-Id, to quote to its support; it may be empty.
	RequestID string
}
