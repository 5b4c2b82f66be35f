package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/store"
)

// leasePromises are those about who may act under a name, and about its cursor.
var leasePromises = []promise{
	{"Acquire/of a free name returns the lease", func(p *probe) {
		l := p.acquire("name", "one", time.Hour)
		if l.Name != "name" || l.Holder != "one" || l.Fence == 0 || l.Until.IsZero() {
			p.Errorf("got lease %+v", l)
		}
	}},
	{"Acquire/of a name that is held is ErrFenced", func(p *probe) {
		l := p.acquire("name", "one", time.Hour)
		for _, holder := range []string{"two", "One", "one "} {
			p.unavailable("name", holder)
		}
		p.is(p.s.Advance(p.Context(), l, 1), nil, "Advance of the holder")
	}},
	{"Acquire/of one name says nothing about another", func(p *probe) {
		l := p.acquire("name", "one", time.Hour)
		other := p.acquire("Name", "two", time.Hour)
		p.is(p.s.Advance(p.Context(), l, 1), nil, "Advance")
		p.is(p.s.Advance(p.Context(), other, 2), nil, "Advance")
		p.same("cursors", []store.Position{p.cursor("name"), p.cursor("Name")}, []store.Position{1, 2})
		p.is(p.s.Release(p.Context(), other), nil, "Release")
		p.unavailable("name", "two")
	}},
	{"Acquire/by its holder renews the lease and keeps the fence", func(p *probe) {
		l := p.acquire("name", "one", time.Hour)
		again := p.acquire("name", "one", 3*time.Hour)
		p.same("fence", again.Fence, l.Fence)
		if gained := again.Until.Sub(l.Until); gained < time.Hour || gained > 3*time.Hour {
			p.Errorf("renewed from 1 h to 3 h, a lease runs %v longer", gained)
		}
		p.is(p.s.Advance(p.Context(), l, 1), nil, "Advance with the lease as it was before")
		p.is(p.s.Advance(p.Context(), again, 2), nil, "Advance")
	}},
	{"Acquire/succeeds once the lease has run out, with a greater fence", func(p *probe) {
		l := p.acquire("name", "one", 20*time.Millisecond)
		for i := range 3 {
			next := p.await("name", fmt.Sprint("holder ", i), 20*time.Millisecond)
			if next.Fence <= l.Fence {
				p.Errorf("fence %d follows fence %d", next.Fence, l.Fence)
			}
			l = next
		}
	}},
	{"Acquire/that renews holds others off for longer", func(p *probe) {
		p.acquire("name", "one", 20*time.Millisecond)
		p.acquire("name", "one", time.Hour)
		time.Sleep(50 * time.Millisecond)
		p.unavailable("name", "two")
	}},
	{"Acquire/by many at once has one winner", func(p *probe) {
		for round := range 20 {
			var won atomic.Int64
			p.together(8, func(i int) error {
				_, err := p.s.Acquire(context.WithoutCancel(p.Context()), many(20)[round], fmt.Sprint("holder ", i), time.Hour)
				switch {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, store.ErrFenced):
					return err
				}
				return nil
			})
			if won.Load() != 1 {
				p.Errorf("%d holders at once", won.Load())
			}
		}
	}},
	{"Acquire/of a lease from the future succeeds once it was seen unrenewed for its length", func(p *probe) {
		if p.ahead == nil {
			p.Skipf("the store's leases have no dates")
		}
		const length = 200 * time.Millisecond
		one := p.acquire("name", "one", length)
		p.ahead(p.s, 30*24*time.Hour)
		began := time.Now()
		p.unavailable("name", "two")
		two := p.await("name", "two", length)
		if waited := time.Since(began); waited < length {
			p.Errorf("a lease of %v is void after %v", length, waited)
		}
		p.is(p.s.Advance(p.Context(), one, 1), store.ErrFenced, "Advance of the holder before")
		p.same("fence", two.Fence > one.Fence, true)
	}},
	{"Acquire/of a lease from the future is refused for as long as it is renewed", func(p *probe) {
		if p.ahead == nil {
			p.Skipf("the store's leases have no dates")
		}
		const length = time.Second
		one := p.acquire("name", "one", length)
		for range 6 {
			p.ahead(p.s, 30*24*time.Hour)
			p.unavailable("name", "two")
			time.Sleep(length / 4)
			p.acquire("name", "one", length)
		}
		p.is(p.s.Advance(p.Context(), one, 1), nil, "Advance of the holder")
	}},
	{"Acquire/without a name or a holder is ErrInvalid", func(p *probe) {
		_, err := p.s.Acquire(p.Context(), "", "one", time.Hour)
		p.is(err, store.ErrInvalid, "no name")
		_, err = p.s.Acquire(p.Context(), "name", "", time.Hour)
		p.is(err, store.ErrInvalid, "no holder")
	}},
	{"Release/frees the name, and what follows has a greater fence", func(p *probe) {
		l := p.acquire("name", "one", time.Hour)
		for _, holder := range []string{"two", "two", "one"} {
			p.is(p.s.Release(p.Context(), l), nil, "Release")
			next := p.acquire("name", holder, time.Hour)
			if next.Fence <= l.Fence {
				p.Errorf("fence %d follows fence %d", next.Fence, l.Fence)
			}
			l = next
		}
	}},
	{"Release/of a lease that was lost or given up is ErrFenced and changes nothing", func(p *probe) {
		lost := p.acquire("name", "one", time.Millisecond)
		l := p.await("name", "two", time.Hour)
		p.is(p.s.Release(p.Context(), lost), store.ErrFenced, "Release of a lost lease")
		p.unavailable("name", "three")
		p.is(p.s.Release(p.Context(), l), nil, "Release")
		p.is(p.s.Release(p.Context(), l), store.ErrFenced, "Release of a released lease")
		p.is(p.s.Release(p.Context(), store.Lease{Name: "other", Holder: "one", Fence: 1}), store.ErrFenced, "Release of what never was")
		p.is(p.s.Release(p.Context(), store.Lease{}), store.ErrFenced, "Release of nothing")
	}},
	{"Release/of a lease that has run out and that nobody took succeeds", func(p *probe) {
		l := p.acquire("name", "one", time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		p.is(p.s.Release(p.Context(), l), nil, "Release")
	}},
	{"Advance/moves the cursor of the name, back too", func(p *probe) {
		l := p.acquire("name", "one", time.Hour)
		for _, to := range []store.Position{5, 7, 7, 3, 0, 1 << 60} {
			p.is(p.s.Advance(p.Context(), l, to), nil, "Advance")
			p.same("cursor", p.cursor("name"), to)
		}
		p.same("another cursor", p.cursor("Name"), store.Position(0))
	}},
	{"Advance/with any but the newest lease is ErrFenced and moves nothing", func(p *probe) {
		lost := p.acquire("name", "one", time.Millisecond)
		p.is(p.s.Advance(p.Context(), lost, 5), nil, "Advance")
		l := p.await("name", "two", time.Hour)
		older, newer, other, elsewhere := l, l, l, l
		older.Fence--
		newer.Fence++
		other.Holder = "three"
		elsewhere.Name = "other"
		for _, stale := range []store.Lease{lost, older, newer, other, elsewhere, {}} {
			p.is(p.s.Advance(p.Context(), stale, 9), store.ErrFenced, fmt.Sprintf("Advance with %+v", stale))
			p.same("cursor", p.cursor("name"), store.Position(5))
		}
		p.same("cursor elsewhere", p.cursor("other"), store.Position(0))
		p.is(p.s.Release(p.Context(), l), nil, "Release")
		p.is(p.s.Advance(p.Context(), l, 9), store.ErrFenced, "Advance with a released lease")
		again := p.acquire("name", "two", time.Hour)
		p.is(p.s.Advance(p.Context(), l, 9), store.ErrFenced, "Advance with a lease released before")
		p.is(p.s.Advance(p.Context(), again, 6), nil, "Advance")
		p.same("cursor", p.cursor("name"), store.Position(6))
	}},
	{"Advance/with a lease that has run out and that nobody took succeeds", func(p *probe) {
		l := p.acquire("name", "one", time.Millisecond)
		time.Sleep(5 * time.Millisecond)
		p.is(p.s.Advance(p.Context(), l, 5), nil, "Advance")
		p.same("cursor", p.cursor("name"), store.Position(5))
	}},
	{"Cursor/is 0 for a new name and outlasts every lease", func(p *probe) {
		p.same("cursor of a new name", p.cursor("name"), store.Position(0))
		l := p.acquire("name", "one", time.Hour)
		p.same("cursor of a new lease", p.cursor("name"), store.Position(0))
		p.is(p.s.Advance(p.Context(), l, 5), nil, "Advance")
		p.is(p.s.Release(p.Context(), l), nil, "Release")
		p.same("cursor after Release", p.cursor("name"), store.Position(5))
		p.acquire("name", "two", time.Hour)
		p.same("cursor of the next holder", p.cursor("name"), store.Position(5))
	}},
}

func (p *probe) acquire(name, holder string, ttl time.Duration) store.Lease {
	p.Helper()
	l, err := p.s.Acquire(p.Context(), name, holder, ttl)
	if err != nil {
		p.Fatalf("Acquire: %v", err)
	}
	return l
}

// unavailable checks that a name is held by somebody else.
func (p *probe) unavailable(name, holder string) {
	p.Helper()
	_, err := p.s.Acquire(p.Context(), name, holder, time.Hour)
	p.is(err, store.ErrFenced, "Acquire for "+holder)
}

// await acquires a name as soon as another holder's lease has expired.
func (p *probe) await(name, holder string, ttl time.Duration) store.Lease {
	p.Helper()
	for deadline := time.Now().Add(p.patience); ; time.Sleep(time.Millisecond) {
		l, err := p.s.Acquire(p.Context(), name, holder, ttl)
		switch {
		case err == nil:
			return l
		case !errors.Is(err, store.ErrFenced):
			p.Fatalf("Acquire: %v", err)
		case time.Now().After(deadline):
			p.Fatalf("Acquire: the lease does not run out")
		}
	}
}

func (p *probe) cursor(name string) store.Position {
	p.Helper()
	at, err := p.s.Cursor(p.Context(), name)
	if err != nil {
		p.Fatalf("Cursor: %v", err)
	}
	return at
}
