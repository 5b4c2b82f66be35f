package mewstest

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// TB is the part of testing.TB that the assertions need. With it, programs that are not
// tests do not link package testing.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// EventuallyRight ends all further changes, and waits until every webhook has been
// delivered, lost or discarded. Then it waits, for at most within, until the receiver
// is right about every integration: its current token is Valid if it works and Invalid
// if it does not, and no former token is Valid. Otherwise it fails the test and says
// what is wrong and how it came about. It returns whether everything is right.
//
// A receiver that only listens to webhooks cannot be right if some were lost. Use
// EventuallyNotWrong then.
func (w *World) EventuallyRight(t TB, ask Ask, within time.Duration) bool {
	t.Helper()
	return w.eventually(t, ask, within, Undecided)
}

// EventuallyNotWrong is EventuallyRight, but accepts Unknown, which is never wrong.
func (w *World) EventuallyNotWrong(t TB, ask Ask, within time.Duration) bool {
	t.Helper()
	return w.eventually(t, ask, within, Denied)
}

// eventually waits until every integration is better than a stance.
func (w *World) eventually(t TB, ask Ask, within time.Duration, bad Stance) bool {
	t.Helper()
	w.Calm()
	_ = w.Settle(context.Background()) // every message ends after a number of attempts
	// The steps grow: a receiver is usually right at once.
	for step, end := time.Millisecond, time.Now().Add(within); ; step *= 2 {
		found := w.standing(ask, bad, 1)
		left := time.Until(end)
		if len(found) == 0 {
			return true
		}
		if left <= 0 {
			break
		}
		time.Sleep(min(step, left))
	}
	found := w.standing(ask, bad, -1)
	if len(found) == 0 {
		return true
	}
	const shown = 3
	var b strings.Builder
	fmt.Fprintf(&b, "%s: after all was sent, and %s, the receiver is not right about %d of %d integrations\n",
		w, within, len(found), len(w.all()))
	for _, d := range found[:min(shown, len(found))] {
		w.explain(&b, d)
	}
	if n := w.Stats().Panics; n > 0 {
		fmt.Fprintf(&b, "the receiver panicked in %d attempts\n", n)
	}
	t.Errorf("%s", strings.TrimSuffix(b.String(), "\n"))
	return false
}

// standing returns the integrations that are at least as bad as a stance, up to the
// number most.
func (w *World) standing(ask Ask, bad Stance, most int) (found []Difference) {
	for _, i := range w.all() {
		if d, _ := i.stance(ask); d.Stance >= bad {
			if found = append(found, d); len(found) == most {
				break
			}
		}
	}
	return found
}

// explain adds a difference and the last events of its integration.
func (w *World) explain(b *strings.Builder, d Difference) {
	const lines = 12
	fmt.Fprintf(b, "%s\n", d)
	var about []LogEntry
	for _, e := range w.Log() {
		if e.Integration == d.Integration.number {
			about = append(about, e)
		}
	}
	if len(about) > lines {
		fmt.Fprintf(b, "  … %d earlier entries\n", len(about)-lines)
		about = about[len(about)-lines:]
	}
	for _, e := range about {
		fmt.Fprintf(b, "  %s\n", e)
	}
}

// NeverSilentlyWrong watches from now until the test ends. It fails the test if a token
// that does not work is called Valid for longer than limit at a stretch. Unknown is
// never wrong. The limit cannot be below the time that Mews takes to send a webhook:
// without faults, Options.Lag.
func (w *World) NeverSilentlyWrong(t TB, ask Ask, limit time.Duration) *Watch {
	t.Helper()
	watch := w.watch(ask, max(limit, 1), func(l Lapse) {
		t.Helper()
		var b strings.Builder
		fmt.Fprintf(&b, "%s: silently wrong since %s, for more than %s\n", w, clock(l.Since), limit)
		w.explain(&b, l.Difference)
		t.Errorf("%s", strings.TrimSuffix(b.String(), "\n"))
	})
	t.Cleanup(watch.Stop)
	return watch
}
