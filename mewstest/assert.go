package mewstest

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// TB is what the assertions need of a testing.TB: so this package does not link
// package testing into programs that are no tests.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Cleanup(func())
}

// EventuallyRight lets no more changes happen, waits until everything that was to
// be sent has been delivered, lost or discarded, and then, for as long as within,
// until the receiver is right about every integration: its current token is Valid
// where it works and Invalid where it does not, and no other is Valid. Otherwise
// the test fails, and is told what is not right and how it came to that. It returns
// whether all is right.
//
// A receiver that only listens to webhooks cannot be right where some were lost;
// ask for EventuallyNotWrong then.
func (w *World) EventuallyRight(t TB, ask Ask, within time.Duration) bool {
	t.Helper()
	return w.eventually(t, ask, within, Undecided)
}

// EventuallyNotWrong is EventuallyRight, but for Unknown, which is never wrong.
func (w *World) EventuallyNotWrong(t TB, ask Ask, within time.Duration) bool {
	t.Helper()
	return w.eventually(t, ask, within, Denied)
}

// eventually waits until no integration stands as badly as that.
func (w *World) eventually(t TB, ask Ask, within time.Duration, bad Stance) bool {
	t.Helper()
	w.Calm()
	_ = w.Settle(context.Background()) // every message ends after so many attempts
	// Steps that grow: a receiver is mostly right at once.
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

// standing returns the integrations that stand as badly as that, most of them.
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

// explain adds a difference and what happened to its integration last.
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

// NeverSilentlyWrong watches from now on until the test ends, and fails the test
// where a token is called Valid for longer than limit in one go while it does not
// work. Unknown is never wrong. The limit cannot be below what Mews takes to tell:
// without a fault, Options.Lag.
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
