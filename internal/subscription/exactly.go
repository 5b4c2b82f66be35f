package subscription

import (
	"context"
	"errors"
	"maps"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack/store"
)

// A handler whose effects lie in the store's own database is called within a transaction, in
// which the subscription's progress commits too (Subscriber.Within). The cursor alone does not
// tell that progress: where changes of one integration wait, those of others go on. So what is
// done beyond the cursor lies beside it.

// maxAhead bounds how many integrations fail until the others wait as well, since what is
// done beyond the cursor has a line for each of them.
const maxAhead = 256

// Interrupted says that a call of the handler has no known end: the lease was lost, or nobody
// knows whether its transaction was committed. It is not the handler's failure. What the store
// knows of the progress is read again before the handler is called once more.
type Interrupted struct{ Cause error }

func (e *Interrupted) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e *Interrupted) Unwrap() error { return e.Cause }

// ahead is what is done beyond the cursor: all entries up to a position, except for those of
// some integrations, from a position of each on. The zero value is nothing.
type ahead struct {
	Through store.Position
	Except  map[string]store.Position

	value []byte // as it lies in the store; nil: it does not
}

func aheadRef(name string) store.Ref { return store.Ref{Name: "subscription " + name + " ahead"} }

func readAhead(ctx context.Context, s store.Store, name string) (ahead, error) {
	value, err := s.Sealed(ctx, aheadRef(name))
	if errors.Is(err, store.ErrNotFound) {
		return ahead{}, nil
	}
	a := ahead{value: value}
	if err == nil {
		err = json.Unmarshal(value, &a)
	}
	return a, err
}

// has reports whether an entry is done already.
func (a *ahead) has(e *store.Entry) bool {
	if e.Position > a.Through {
		return false
	}
	from, waits := a.Except[e.Integration]
	return !waits || e.Position < from
}

// begin takes up how far the name has got.
func (b *backlog[T]) begin(ctx context.Context) error {
	at, err := b.place(ctx, b.lease)
	if err != nil {
		return err
	}
	b.read, b.kept, b.waiting = at, at, 0
	clear(b.failing)
	if b.Within != nil {
		b.ahead, err = readAhead(ctx, b.Store, b.Name)
	}
	return err
}

// handle has the first entry of an integration's queue handled.
func (b *backlog[T]) handle(ctx context.Context, integration string, q *queue[T]) error {
	first := &q.entries[0]
	if b.Within == nil {
		return b.Handle(ctx, first.item, first.attempts+1)
	}
	p, next, err := b.progress(integration, q)
	if err != nil {
		return err
	}
	if err := b.Within(ctx, first.item, first.attempts+1, p); err != nil {
		return err
	}
	b.kept, b.ahead = p.To, next
	return nil
}

// progress returns how far the name has got once the first entry of an integration's queue is
// done.
func (b *backlog[T]) progress(integration string, q *queue[T]) (p store.Progress, next ahead, err error) {
	through := max(b.read, q.entries[0].position)
	next = ahead{Through: max(through, b.ahead.Through), Except: make(map[string]store.Position)}
	if through < next.Through { // what waited before a restart is not read again yet
		for id, from := range b.ahead.Except {
			next.Except[id] = max(from, through+1)
		}
	}
	for id, other := range b.failing {
		next.Except[id] = other.done() + 1
	}
	delete(next.Except, integration)
	rest := queue[T]{q.entries[1:], q.till, q.beyond}
	if len(rest.entries) > 0 || rest.beyond {
		next.Except[integration] = rest.done() + 1
	} else if _, waits := b.ahead.Except[integration]; waits && through < next.Through {
		next.Except[integration] = through + 1
	}
	p = store.Progress{Lease: b.lease, From: b.kept, To: next.Through, Ref: aheadRef(b.Name), Old: b.ahead.value}
	for from := range maps.Values(next.Except) {
		p.To = min(p.To, from-1)
	}
	p.To = max(p.To, p.From)
	if p.To == next.Through {
		return p, ahead{}, nil
	}
	p.New, err = json.Marshal(next)
	next.value = p.New
	return p, next, err
}
