// Package due notices what time alone does: integrations come in, each with the instant at
// which its verdict may change by itself, and a call comes out for each that has changed.
//
// Of all instances one makes the calls, the one that holds the lease of the name "time".
// It keeps the instants in a heap, so that waiting costs neither a goroutine nor a look at
// any integration. The calls write to the store, so they come at a bounded rate however
// many instants fall together, in the order of the instants. An instant is a hint: whether
// there is something to tell is asked again when it has come, because evidence may have
// moved it. Where nothing ever changes by itself, nobody asks for the lease.
//
// What follows from the records of several integrations is told in the same way, at once:
// one instance sees all of them, and finds what a crash left untold when it begins to lead.
package due

import (
	"container/heap"
	"context"
	"iter"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack/internal/lease"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	// every is the least time between two calls: 50 a second.
	every = 20 * time.Millisecond
	// again is when a call that failed is made again.
	again = 5 * time.Second
	// look is how often the clock is looked at, which may have jumped.
	look = time.Minute
)

// Options are what a Book needs. None of the functions may block, except Tell.
type Options struct {
	// Now tells the time.
	Now func() time.Time
	// IDs yields all integrations.
	IDs iter.Seq[string]
	// Look reports whether there is something to tell of an integration now, and when
	// there may be next; 0 for never.
	Look func(id string) (now bool, next lifecycle.Instant)
	// Tell tells what there is to tell of an integration. An error is a reason to try again.
	Tell func(ctx context.Context, id string) error
	// Leases is where the lease comes from, Takeover how long it lasts, and Patience the
	// bound of one call for it.
	Leases   lease.Leaser
	Takeover time.Duration
	Patience time.Duration
}

// Book holds what will be due. Make one with New. It is safe for concurrent use.
type Book struct {
	Options
	poke chan struct{} // what is due first has changed

	mu      sync.Mutex
	needed  bool // something will be due
	leading bool
	heap    entries
	planned map[string]lifecycle.Instant // for each in the heap, the earliest
}

// New returns a Book in which nothing is due.
func New(o Options) *Book {
	return &Book{Options: o, poke: make(chan struct{}, 1)}
}

// Touch takes up that an integration has a new record.
func (b *Book) Touch(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.needed && !b.leading {
		return // who leads looks at all
	}
	if b.plan(id) && (!b.needed || b.heap[0].id == id) {
		b.needed = true
		select {
		case b.poke <- struct{}{}:
		default:
		}
	}
}

// plan puts down when there is something to tell of an integration, and reports whether
// there ever is. b.mu is held.
func (b *Book) plan(id string) bool {
	now, at := b.Look(id)
	if now {
		at = lifecycle.At(b.Now())
	}
	if at == 0 {
		return false
	}
	if b.leading {
		b.set(id, at)
	}
	return true
}

// set puts an instant into the heap, unless there is one that comes no later: then this
// one will be found by then. b.mu is held.
func (b *Book) set(id string, at lifecycle.Instant) {
	if planned, ok := b.planned[id]; !ok || at < planned {
		b.planned[id] = at
		heap.Push(&b.heap, entry{id, at})
	}
}

// Run makes the calls while this instance holds the lease, until ctx ends.
func (b *Book) Run(ctx context.Context) {
	for {
		b.mu.Lock()
		needed := b.needed
		b.mu.Unlock()
		if needed {
			break
		}
		select {
		case <-b.poke:
		case <-ctx.Done():
			return
		}
	}
	k := lease.Keeper{
		Store: b.Leases, Name: "time", Holder: store.NewEntryID(b.Now()).String(), TTL: b.Takeover, Patience: b.Patience,
	}
	k.Keep(ctx, b.lead, nil) // where the store fails, the follower of the journal says so
}

// lead makes the calls until ctx ends.
func (b *Book) lead(ctx context.Context, _ store.Lease) error {
	b.begin()
	defer b.end()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ctx.Err() == nil {
		id, wait := b.next()
		if id != "" {
			if err := b.Tell(ctx, id); err != nil {
				b.later(id)
			}
			wait = every
		}
		timer.Reset(wait)
		poke := b.poke
		if id != "" {
			poke = nil // so that the rate is kept
		}
		select {
		case <-timer.C:
		case <-poke:
		case <-ctx.Done():
		}
	}
	return nil
}

// begin looks at all integrations.
func (b *Book) begin() {
	b.mu.Lock()
	b.leading, b.planned = true, make(map[string]lifecycle.Instant)
	b.mu.Unlock()
	for id := range b.IDs {
		b.mu.Lock()
		b.plan(id)
		b.mu.Unlock()
	}
}

func (b *Book) end() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.leading, b.planned, b.heap = false, nil, nil
}

// later has an integration wait after a call that failed.
func (b *Book) later(id string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.leading {
		b.set(id, lifecycle.At(b.Now().Add(again)))
	}
}

// next takes out an integration that there is something to tell about. If there is none
// it returns "" and how long to wait.
func (b *Book) next() (id string, wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := lifecycle.At(b.Now())
	for len(b.heap) > 0 {
		first := b.heap[0]
		if first.at > now {
			return "", min(look, first.at.Sub(now))
		}
		heap.Pop(&b.heap)
		if b.planned[first.id] != first.at {
			continue // an earlier instant took its place
		}
		delete(b.planned, first.id)
		due, at := b.Look(first.id)
		if due {
			return first.id, 0
		}
		if at != 0 {
			b.set(first.id, at)
		}
	}
	return "", look
}

// entry is an integration and when it may be due.
type entry struct {
	id string
	at lifecycle.Instant
}

// entries is a heap by instant.
type entries []entry

func (h entries) Len() int           { return len(h) }
func (h entries) Less(i, j int) bool { return h[i].at < h[j].at }
func (h entries) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *entries) Push(x any)        { *h = append(*h, x.(entry)) }
func (h *entries) Pop() any {
	old := *h
	last := old[len(old)-1]
	old[len(old)-1] = entry{}
	*h = old[:len(old)-1]
	return last
}
