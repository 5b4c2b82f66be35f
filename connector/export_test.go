package connector

import (
	"context"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// This file shows the tests the limiter that a Client has, and one exchange alone.

type Limiter = limiter

const (
	Limit  = requestLimit
	Window = requestWindow
)

var NewLimiter = newLimiter

// Exchange puts one question, also about one enterprise.
func (c *Client) Exchange(ctx context.Context, token lifecycle.Token, enterprise string) (Answer, error) {
	return c.probe(ctx, token, enterprise)
}
