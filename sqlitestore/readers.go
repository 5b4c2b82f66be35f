package sqlitestore

import (
	"context"
	"database/sql/driver"

	"github.com/keyrack-dev/keyrack/store"
)

// readers are the connections for reading. A place is nil until it is first used, and
// after a failure.
type readers struct {
	places chan *link
	closed chan struct{}
}

func newReaders(n int) readers {
	r := readers{places: make(chan *link, n), closed: make(chan struct{})}
	for range n {
		r.places <- nil
	}
	return r
}

// close waits until nobody reads, and closes the connections.
func (r *readers) close() {
	close(r.closed)
	for range cap(r.places) {
		if l := <-r.places; l != nil {
			l.discard()
		}
	}
}

// read runs a query on a connection of its own, which sees the database at one moment,
// and calls each for every row. The row is reused; its byte slices are not. No
// connection is held while the caller does something else.
func (s *Store) read(ctx context.Context, query string, each func(row []driver.Value), args ...driver.Value) error {
	return s.reading(ctx, func(l *link) error { return l.query(ctx, query, each, args...) })
}

// reading calls f with a connection for reading.
func (s *Store) reading(ctx context.Context, f func(*link) error) error {
	if err := ctx.Err(); err != nil {
		return failure(ctx, err)
	}
	select {
	case <-s.readers.closed:
		return ErrClosed
	default:
	}
	if err := s.watch.checkLately(); err != nil {
		return err
	}
	var l *link
	select {
	case l = <-s.readers.places:
	case <-ctx.Done():
		return failure(ctx, ctx.Err())
	case <-s.readers.closed:
		return ErrClosed
	}
	defer func() { s.readers.places <- l }()
	if l == nil {
		var err error
		if l, err = s.dial(ctx, false); err != nil {
			return failure(ctx, err)
		}
	}
	err := failure(ctx, f(l))
	if err != nil && ctx.Err() == nil && !store.IsAnswer(err) {
		// The next reader gets a new connection.
		l.discard()
		l = nil
	}
	return err
}
