package pgstore

import (
	"context"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	incarnation = `select cast(incarnation as text) from keyrack.bounds where one = 1`
	renew       = `update keyrack.bounds set incarnation = gen_random_uuid() where one = 1`
)

// Incarnation names the history that versions and positions belong to. A dump holds it as
// well, so once one was put back, Renew gives the store another.
func (s *Store) Incarnation(ctx context.Context) (name string, err error) {
	err = s.row(ctx, freely, store.ErrNotFound, incarnation, nil, &name)
	return name, err
}

// Renew gives the store a new incarnation.
func (s *Store) Renew(ctx context.Context) error {
	_, err := s.exec(ctx, freely, renew)
	return err
}
