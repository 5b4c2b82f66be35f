package console

import (
	"cmp"
	"context"
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// row is what a list knows of one integration.
type row struct {
	id, name, enterprise, enterpriseName, service string

	labels   lifecycle.Labels
	hay      string // everything that can be searched for, folded; lists are in its order
	status   lifecycle.Status
	reason   lifecycle.Reason
	state    lifecycle.State
	trouble  bool              // the verdict is what it was before Mews refused everything
	evidence lifecycle.Instant // the time of what the verdict stands on
	arrived  lifecycle.Instant // of the latest delivery
}

func rowOf(s *keyrack.Summary) row {
	return row{
		id: s.Integration.ID, name: s.Integration.Name, enterprise: s.Enterprise.ID, enterpriseName: s.Enterprise.Name,
		service: s.Service.Name,
		hay: fold(strings.Join([]string{
			cmp.Or(s.Enterprise.Name, s.Integration.Name), s.Integration.Name, s.Service.Name, s.Integration.ID, s.Enterprise.ID,
			strings.ReplaceAll(string(s.Verdict.Labels), ",", "\n"),
		}, "\n")),
		labels: s.Verdict.Labels,
		status: s.Verdict.Status, reason: s.Verdict.Reason, state: s.Verdict.State, trouble: s.Verdict.Trouble,
		evidence: s.Verdict.Evidence.At, arrived: lifecycle.At(s.Arrived),
	}
}

// fold brings texts to the form in which they are compared.
func fold(text string) string { return strings.ToLower(text) }

// The ages of the index. What evidence changes is taken up at once; what time alone
// changes, such as a verdict that grows too old, within these.
const (
	freshFor = 10 * time.Second // after that it is built anew behind the visitor's back
	staleFor = time.Minute      // after that the visitor waits for it
	maxDelta = 5000             // entries; a longer way is built anew
)

// index holds a row of every integration, so that a list or an overview costs no look at
// each record: a hundred thousand of those are scattered over memory. It is made with the
// first request that needs it. Where time may have changed verdicts, a goroutine builds it
// anew, for one pass over the Rack's memory; close waits for it.
type index struct {
	rack  *keyrack.Rack
	store store.Store

	mu       sync.RWMutex
	rows     []row
	at       map[string]int // where each is in rows
	position store.Position // up to which the journal is in it
	built    time.Time
	building bool
	closed   bool
	work     sync.WaitGroup
}

// read calls look with all rows, in no given order. Nobody may write to them or keep them.
func (x *index) read(ctx context.Context, look func([]row)) {
	x.freshen(ctx)
	x.mu.RLock()
	defer x.mu.RUnlock()
	look(x.rows)
}

// close waits for what is being built.
func (x *index) close() {
	x.mu.Lock()
	x.closed = true
	x.mu.Unlock()
	x.work.Wait()
}

// freshen brings the index up to date.
func (x *index) freshen(ctx context.Context) {
	x.mu.Lock()
	defer x.mu.Unlock()
	age := time.Since(x.built)
	switch {
	case x.built.IsZero() || age > staleFor || !x.follow(ctx):
		x.install(x.build())
	case age > freshFor && !x.building && !x.closed:
		x.building = true
		x.work.Go(func() {
			next := x.build()
			x.mu.Lock()
			defer x.mu.Unlock()
			x.install(next)
			x.building = false
		})
	}
}

// built is a new index.
type builtIndex struct {
	rows     []row
	at       map[string]int
	position store.Position
	began    time.Time
}

// build looks at every integration. The caller may hold x.mu or not.
func (x *index) build() builtIndex {
	b := builtIndex{began: time.Now(), at: make(map[string]int), position: x.rack.SyncStatus().Position}
	for s := range x.rack.Summaries() {
		if at, twice := b.at[s.Integration.ID]; twice {
			b.rows[at] = rowOf(&s)
			continue
		}
		b.at[s.Integration.ID] = len(b.rows)
		b.rows = append(b.rows, rowOf(&s))
	}
	return b
}

// install takes over a new index, and follows the journal from where it began. x.mu is held.
func (x *index) install(b builtIndex) {
	x.rows, x.at, x.position, x.built = b.rows, b.at, b.position, b.began
}

// follow takes up the integrations that the journal has news of, and reports whether that
// was possible. Commits of other instances reach the Rack's memory later than the journal,
// so the next time begins where the Rack's memory is. x.mu is held.
func (x *index) follow(ctx context.Context) bool {
	seen := x.rack.SyncStatus().Position
	changed := make(map[string]bool)
	n := 0
	for e, err := range x.store.Journal(ctx, x.position) {
		if n++; n > maxDelta || err != nil {
			return err != nil && ctx.Err() != nil // a visitor who has gone
		}
		changed[lifecycle.CanonicalID(e.Integration)] = true
	}
	for id := range maps.Keys(changed) {
		x.refresh(id)
	}
	x.position = max(x.position, seen)
	return true
}

// refresh looks at one integration. x.mu is held.
func (x *index) refresh(id string) {
	record, known := x.rack.Record(id)
	if !known {
		return
	}
	one := rowOf(&keyrack.Summary{
		Integration: lifecycle.Named{ID: record.ID, Name: record.Name}, Enterprise: record.Enterprise, Service: record.Service,
		Verdict: x.rack.CheckIntegration(id), Arrived: record.Arrived.Time(),
	})
	if at, there := x.at[id]; there {
		x.rows[at] = one
		return
	}
	x.at[id] = len(x.rows)
	x.rows = append(x.rows, one)
}
