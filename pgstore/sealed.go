package pgstore

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	getToken  = `select sealed from keyrack.token where integration = $1::bytea and digest = $2::bytea and sealed is not null`
	getBody   = `select sealed from keyrack.body where entry = $1::uuid`
	getSecret = `select sealed from keyrack.secret where name = $1::bytea`

	setToken = `update keyrack.token set sealed = $4::bytea
where integration = $1::bytea and digest = $2::bytea and sealed = $3::bytea`
	setBody   = `update keyrack.body set sealed = $3::bytea where entry = $1::uuid and sealed = $2::bytea`
	setSecret = `update keyrack.secret set sealed = $3::bytea where name = $1::bytea and sealed = $2::bytea`
	addSecret = `insert into keyrack.secret (name, sealed) values ($1::bytea, $2::bytea) on conflict (name) do nothing`

	tokenPage = `select integration, digest from keyrack.token
where sealed is not null and digest > $1::bytea order by digest limit $2::bigint`
	bodyPage   = `select entry from keyrack.body where entry > $1::uuid order by entry limit $2::bigint`
	namePage   = `select name from keyrack.secret where name >= $1::bytea and name <> $2::bytea order by name limit $3::bigint`
	secretPage = `select name from keyrack.secret where name > $1::bytea order by name limit $2::bigint`

	shredTokens = `update keyrack.token set sealed = null
from unnest($1::bytea[], $2::bytea[]) as r (integration, digest)
where token.digest = r.digest and token.integration = r.integration and token.sealed is not null`
	shredBodies  = `delete from keyrack.body where entry = any($1::uuid[])`
	shredSecrets = `delete from keyrack.secret where name = any($1::bytea[])`
)

// Sealed returns a sealed value, or ErrNotFound.
func (s *Store) Sealed(ctx context.Context, ref store.Ref) (value []byte, err error) {
	switch ref.Kind() {
	case store.RefToken:
		err = s.row(ctx, freely, store.ErrNotFound, getToken, []any{[]byte(ref.Integration), ref.Digest[:]}, &value)
	case store.RefBody:
		err = s.row(ctx, freely, store.ErrNotFound, getBody, []any{uuid(ref.Entry)}, &value)
	case store.RefNamed:
		err = s.row(ctx, freely, store.ErrNotFound, getSecret, []any{[]byte(ref.Name)}, &value)
	default:
		err = s.run(ctx, freely, func() error { return store.ErrNotFound })
	}
	return value, err
}

// ScanSealed yields the addresses of all sealed values: tokens, bodies, names. It may
// or may not include values that are added meanwhile.
func (s *Store) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	kinds := []iter.Seq2[store.Ref, error]{
		s.scanRefs(ctx, tokenPage, func(last store.Ref) any { return last.Digest[:] }, scanToken),
		s.scanRefs(ctx, bodyPage, func(last store.Ref) any { return uuid(last.Entry) }, scanBody),
		s.scanRefs(ctx, secretPage, func(last store.Ref) any { return []byte(last.Name) }, scanSecret),
	}
	return func(yield func(store.Ref, error) bool) {
		for _, refs := range kinds {
			for ref, err := range refs {
				if !yield(ref, err) || err != nil {
					return
				}
			}
		}
	}
}

// Names yields the names that begin with a prefix, in byte order.
func (s *Store) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	names := pages([2]string{prefix, ""}, func(after [2]string) ([]store.Ref, error) {
		return rows(ctx, s, namePage, []any{[]byte(after[0]), []byte(after[1]), int64(pageSize)}, scanSecret)
	}, func(last store.Ref) [2]string { return [2]string{last.Name, last.Name} })
	return func(yield func(string, error) bool) {
		for ref, err := range names {
			if err == nil && !strings.HasPrefix(ref.Name, prefix) || !yield(ref.Name, err) {
				return
			}
		}
	}
}

// scanRefs yields addresses of one kind. The key of the zero ref lies before all
// others.
func (s *Store) scanRefs(ctx context.Context, page string, key func(store.Ref) any, scan pgx.RowToFunc[store.Ref]) iter.Seq2[store.Ref, error] {
	return pages(key(store.Ref{}), func(after any) ([]store.Ref, error) {
		return rows(ctx, s, page, []any{after, int64(pageSize)}, scan)
	}, key)
}

func scanToken(row pgx.CollectableRow) (store.Ref, error) {
	var integration, digest []byte
	err := row.Scan(&integration, &digest)
	ref := store.Ref{Integration: string(integration)}
	copy(ref.Digest[:], digest)
	return ref, err
}

func scanBody(row pgx.CollectableRow) (store.Ref, error) {
	var entry pgtype.UUID
	err := row.Scan(&entry)
	return store.Ref{Entry: entry.Bytes}, err
}

func scanSecret(row pgx.CollectableRow) (store.Ref, error) {
	var name []byte
	err := row.Scan(&name)
	return store.Ref{Name: string(name)}, err
}

// Reseal replaces a sealed value if it still equals old.
func (s *Store) Reseal(ctx context.Context, ref store.Ref, old, new []byte) (err error) {
	switch kind := ref.Kind(); {
	case len(new) == 0:
		err = s.run(ctx, freely, func() error { return store.ErrInvalid })
	case kind == store.RefNamed && len(old) == 0:
		_, err = s.exec(ctx, freely, addSecret, []byte(ref.Name), new)
	case kind == store.RefNothing || len(old) == 0:
		err = s.run(ctx, freely, func() error { return nil })
	case kind == store.RefToken:
		_, err = s.exec(ctx, freely, setToken, []byte(ref.Integration), ref.Digest[:], old, new)
	case kind == store.RefBody:
		_, err = s.exec(ctx, freely, setBody, uuid(ref.Entry), old, new)
	case kind == store.RefNamed:
		_, err = s.exec(ctx, freely, setSecret, []byte(ref.Name), old, new)
	}
	return err
}

// shredAtOnce is how many addresses go into one statement.
const shredAtOnce = 1000

// Shred erases sealed values.
func (s *Store) Shred(ctx context.Context, refs ...store.Ref) error {
	for chunk := range slices.Chunk(refs, shredAtOnce) {
		if err := s.shred(ctx, chunk); err != nil {
			return err
		}
	}
	return s.run(ctx, freely, func() error { return nil })
}

func (s *Store) shred(ctx context.Context, refs []store.Ref) error {
	var tokens []lifecycle.Digest
	owners := map[lifecycle.Digest][]byte{}
	var bodies []pgtype.UUID
	var names [][]byte
	for _, ref := range refs {
		switch ref.Kind() {
		case store.RefToken:
			tokens = append(tokens, ref.Digest)
			owners[ref.Digest] = []byte(ref.Integration)
		case store.RefBody:
			bodies = append(bodies, uuid(ref.Entry))
		case store.RefNamed:
			names = append(names, []byte(ref.Name))
		}
	}
	if len(tokens) > 0 {
		// In a fixed order, so that two calls do not wait for each other.
		slices.SortFunc(tokens, func(a, b lifecycle.Digest) int { return bytes.Compare(a[:], b[:]) })
		integrations := make([][]byte, len(tokens))
		for i, d := range tokens {
			integrations[i] = owners[d]
		}
		if _, err := s.exec(ctx, freely, shredTokens, integrations, digestBytes(tokens)); err != nil {
			return err
		}
	}
	if len(bodies) > 0 {
		if _, err := s.exec(ctx, freely, shredBodies, bodies); err != nil {
			return err
		}
	}
	if len(names) > 0 {
		if _, err := s.exec(ctx, freely, shredSecrets, names); err != nil {
			return err
		}
	}
	return nil
}
