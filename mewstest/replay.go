package mewstest

import (
	"context"
	"time"
)

// Replay sends the bodies of a log once more, which Options.KeepBodies has kept:
// in order, with the same times between them, one after the other. So a receiver
// can be shown again what it did not cope with, as often as it takes. It returns
// the answers; the error is the context's.
func Replay(ctx context.Context, log []LogEntry, to *Sender) (answers []Reply, err error) {
	var began time.Time
	for _, e := range log {
		if e.Kind != Sent || e.Body.IsZero() {
			continue
		}
		if began.IsZero() {
			began = time.Now().Add(-e.At)
		}
		timer := time.NewTimer(time.Until(began.Add(e.At)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return answers, ctx.Err()
		}
		answers = append(answers, to.Post(ctx, e.Body.Bytes()))
	}
	return answers, nil
}
