// Package pause waits, unless a context ends first.
package pause

import (
	"context"
	"errors"
	"time"
)

// ErrInterrupted is what For returns when its context ends.
var ErrInterrupted = errors.New("interrupted")

// For waits for d. It returns ErrInterrupted as soon as the context ends.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ErrInterrupted
	}
}
