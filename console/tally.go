package console

import (
	"context"
	"sort"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	tallied     = 7 * 24 * time.Hour // how far back the charts reach
	tallyWait   = 25 * time.Millisecond
	talliedUpTo = 200 // answers are counted by their time up to this many classes
)

// hour is what happened within one hour.
type hour struct {
	outcomes [lifecycle.Unrecognized + 1]int // of deliveries
	answers  [lifecycle.Withdrawn + 1]int    // of probes
	unread   int                             // deliveries that could not be understood
	took     [talliedUpTo]int32              // deliveries, by class of the time to answer
	timed    int
}

// tally counts what the journal says by the hour, so that a chart costs no look at each
// entry. It follows the journal on request: a goroutine reads to its end and then ends, and
// close waits for it.
type tally struct {
	store store.Store
	ctx   context.Context // ends with close
	stop  context.CancelFunc
	work  sync.WaitGroup

	mu       sync.Mutex
	hours    map[int64]*hour      // by hours since 1970
	alarms   map[string]time.Time // integrations with an alarm, and when the latest was
	position store.Position       // up to which it has counted
	target   store.Position       // where the journal ended when it was last looked at
	running  chan struct{}        // closed at the end of the goroutine; nil: none runs
	begun    bool
}

func newTally(s store.Store) *tally {
	t := &tally{store: s, hours: make(map[int64]*hour), alarms: make(map[string]time.Time)}
	t.ctx, t.stop = context.WithCancel(context.Background())
	return t
}

func (t *tally) close() {
	t.mu.Lock()
	t.stop()
	t.mu.Unlock()
	t.work.Wait()
}

// read has the journal followed to its end, but waits no longer than tallyWait for that,
// and calls look. counted is how much of the journal's last days is in it, from 0 to 1.
func (t *tally) read(now time.Time, look func(hours map[int64]*hour, alarms map[string]time.Time, counted float64)) {
	t.mu.Lock()
	if t.running == nil && t.ctx.Err() == nil {
		done := make(chan struct{})
		t.running = done
		t.work.Go(func() {
			t.follow(now)
			t.mu.Lock()
			t.running = nil
			t.mu.Unlock()
			close(done)
		})
	}
	done := t.running
	t.mu.Unlock()
	if done != nil {
		timer := time.NewTimer(tallyWait)
		select {
		case <-done:
		case <-timer.C:
		}
		timer.Stop()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	counted := 1.0
	if t.position < t.target && t.target > 0 {
		counted = float64(t.position) / float64(t.target)
	}
	look(t.hours, t.alarms, counted)
}

// follow reads the journal to its end.
func (t *tally) follow(now time.Time) {
	first, last, err := t.store.Bounds(t.ctx)
	if err != nil {
		return
	}
	t.mu.Lock()
	position, begun := t.position, t.begun
	t.mu.Unlock()
	if !begun || position < first {
		position = t.seek(first, last, now.Add(-tallied))
	}
	t.mu.Lock()
	t.position, t.target, t.begun = position, last, true
	t.forget(now.Add(-tallied))
	t.mu.Unlock()
	const batch = 256 // entries for which the lock is taken once
	var entries []store.Entry
	for e, err := range t.store.Journal(t.ctx, position) {
		if err != nil {
			break
		}
		if entries = append(entries, e); len(entries) == batch {
			t.count(entries)
			entries = entries[:0]
		}
	}
	t.count(entries)
}

// seek returns a position of the journal before everything that arrived since a time. The
// journal is nearly in the order of arrival.
func (t *tally) seek(first, last store.Position, since time.Time) store.Position {
	instant := lifecycle.At(since.Add(-time.Hour))
	n := sort.Search(int(last-first), func(i int) bool {
		for e, err := range t.store.Journal(t.ctx, first+store.Position(i)) {
			return err != nil || e.At >= instant
		}
		return true
	})
	return first + store.Position(n)
}

func (t *tally) count(entries []store.Entry) {
	parsed := make([]struct {
		lifecycle.Evidence
		entry.Judgement
	}, len(entries))
	for i, e := range entries {
		parsed[i].Evidence, parsed[i].Judgement, _ = entry.Parse(e) // one of a newer version counts as nothing
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, e := range entries {
		t.position = e.Position
		evidence, decision := &parsed[i].Evidence, &parsed[i].Decision
		h := t.hour(e.At)
		switch {
		case evidence.Kind == lifecycle.KindDelivery && int(decision.Outcome) < len(h.outcomes):
			h.outcomes[decision.Outcome]++
			if notUnderstood(evidence, decision) {
				h.unread++
			}
			if e.Response.Took > 0 {
				h.took[classOf(e.Response.Took)]++
				h.timed++
			}
		case evidence.Kind == lifecycle.KindProbe && int(evidence.Answer) < len(h.answers):
			h.answers[evidence.Answer]++
		}
		if decision.Alarm && e.Integration != "" {
			t.alarms[lifecycle.CanonicalID(e.Integration)] = e.At.Time()
		}
	}
}

// hour returns the hour of a time. t.mu is held.
func (t *tally) hour(at lifecycle.Instant) *hour {
	n := at.Time().Unix() / 3600
	h := t.hours[n]
	if h == nil {
		h = new(hour)
		t.hours[n] = h
	}
	return h
}

// forget drops what is too old. t.mu is held.
func (t *tally) forget(before time.Time) {
	for n := range t.hours {
		if n < before.Unix()/3600 {
			delete(t.hours, n)
		}
	}
	for id, at := range t.alarms {
		if at.Before(before) {
			delete(t.alarms, id)
		}
	}
}

// notUnderstood reports whether a delivery could not be understood, in whole or in part.
func notUnderstood(e *lifecycle.Evidence, d *lifecycle.Decision) bool {
	return e.Kind == lifecycle.KindDelivery && (e.Integration.ID == "" || e.Unread != "" || d.Outcome == lifecycle.Unrecognized)
}

// classOf returns the class of a duration, about a tenth wide, and upTo the longest
// duration of a class.
func classOf(d time.Duration) int {
	n := 0
	for limit := 10 * time.Microsecond; d > limit && n < talliedUpTo-1; n++ {
		limit += limit / 10
	}
	return n
}

func upTo(class int) time.Duration {
	limit := 10 * time.Microsecond
	for range class {
		limit += limit / 10
	}
	return limit
}

// quantile returns the time within which a share of the counted were answered, rounded up
// to its class; 0 for none.
func quantile(took *[talliedUpTo]int32, timed int, share float64) time.Duration {
	if timed == 0 {
		return 0
	}
	left := int32(share * float64(timed))
	for class, n := range took {
		if left -= n; left < 0 {
			return upTo(class)
		}
	}
	return upTo(talliedUpTo - 1)
}
