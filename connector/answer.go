package connector

import (
	"context"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// Prober asks Mews whether a token works. [Client] is one; an application may
// bring its own, over its own client of the Connector API. It must
//
//   - be safe for concurrent use, return soon after ctx ends, and not retain the
//     token;
//   - return an error exactly where the answer's Kind is Silent. An error means
//     "no answer": it says nothing of the token, least of all that it is invalid.
//     Beside it, Began, Status, RetryAfter and RequestID of the answer are filled
//     in as far as they are known;
//   - never let a token into an error or an answer, whatever the other side sends;
//   - give Accepted only for an answer that names the enterprise.
type Prober interface {
	Probe(ctx context.Context, token lifecycle.Token) (Answer, error)
}

// Kind says what an answer is worth. The zero value is Silent.
type Kind uint8

const (
	// Silent: whatever is neither of the others. It says nothing about the token.
	Silent Kind = iota
	// Accepted: 200 with an enterprise. The token worked when the request began.
	Accepted
	// Unauthorized: 401. It may be about the token, the ClientToken, a permission
	// or the enterprise: one answer alone does not tell which.
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

// Answer is what came back for one question. It holds no secret and no personal
// data. Its zero value is a Silent one to a question that was never sent.
type Answer struct {
	Kind Kind
	// Status is the HTTP status; 0 where there was no response.
	Status int
	// Began is when the request began, before its first byte was sent and after
	// any waiting: what the answer says was true then or later. Zero where no
	// request was sent.
	Began time.Time
	// Enterprise is whom the token belongs to, by Mews's account. Of an Accepted
	// answer the ID is never empty; the name may be.
	Enterprise lifecycle.Named
	// Service is the one that the token is limited to; zero for most tokens.
	Service lifecycle.Named
	// Portfolio tells that the token covers several enterprises, so that
	// Enterprise stands for the portfolio and is none of theirs. Whether the token
	// covers a certain one, [Client.ProbeEnterprise] asks.
	Portfolio bool
	// RetryAfter is how long the other side wants to be left alone, from 0 (it did
	// not say, or at once) to an hour. Silent answers alone have it.
	RetryAfter time.Duration
	// RequestID is Mews's name for the exchange, for its support; it may be empty.
	RequestID string
}
