package sqlitestore

import (
	"bytes"
	"context"
	"database/sql/driver"
	"iter"
	"strings"

	"github.com/keyrack-dev/keyrack/store"
)

const (
	whereToken = ` WHERE digest = ? AND integration = (SELECT number FROM integration WHERE id = ?)`
	whereBody  = ` WHERE position = (SELECT position FROM entry WHERE id = ?)`
	whereName  = ` WHERE name = ?`

	insertSecret = `INSERT INTO secret (name, sealed) VALUES (?, ?) ON CONFLICT DO NOTHING`

	scanTokens = `SELECT t.digest, i.id FROM token t JOIN integration i ON i.number = t.integration
		WHERE t.digest > ? AND t.sealed IS NOT NULL ORDER BY t.digest LIMIT ?`
	scanBodies = `SELECT e.id, b.position FROM body b JOIN entry e ON e.position = b.position
		WHERE b.position > ? ORDER BY b.position LIMIT ?`
	scanNames   = `SELECT name FROM secret WHERE name >= ? AND name <> ? ORDER BY name LIMIT ?`
	scanSecrets = `SELECT name FROM secret WHERE name > ? ORDER BY name LIMIT ?`
)

var (
	selectSealed = [...]string{
		store.RefToken: `SELECT sealed FROM token` + whereToken,
		store.RefBody:  `SELECT sealed FROM body` + whereBody,
		store.RefNamed: `SELECT sealed FROM secret` + whereName,
	}
	updateSealed = [...]string{
		store.RefToken: `UPDATE token SET sealed = ?` + whereToken + ` AND sealed = ?`,
		store.RefBody:  `UPDATE body SET sealed = ?` + whereBody + ` AND sealed = ?`,
		store.RefNamed: `UPDATE secret SET sealed = ?` + whereName + ` AND sealed = ?`,
	}
	eraseSealed = [...]string{
		store.RefToken: `UPDATE token SET sealed = NULL` + whereToken,
		store.RefBody:  `DELETE FROM body` + whereBody,
		store.RefNamed: `DELETE FROM secret` + whereName,
	}
)

// place returns the arguments of the where clause for a ref.
func place(ref *store.Ref) []driver.Value {
	switch ref.Kind() {
	case store.RefToken:
		return []driver.Value{ref.Digest[:], ref.Integration}
	case store.RefBody:
		return []driver.Value{ref.Entry[:]}
	default:
		return []driver.Value{ref.Name}
	}
}

// Sealed returns a sealed value, or ErrNotFound.
func (s *Store) Sealed(ctx context.Context, ref store.Ref) ([]byte, error) {
	kind := ref.Kind()
	if kind == store.RefNothing {
		return nil, s.nothing(ctx, store.ErrNotFound)
	}
	var value []byte
	err := s.read(ctx, selectSealed[kind], func(row []driver.Value) { value, _ = row[0].([]byte) }, place(&ref)...)
	if err == nil && value == nil {
		err = store.ErrNotFound
	}
	return value, err
}

// nothing is for a call that does not need the database: it returns err, unless the
// context or the store has ended.
func (s *Store) nothing(ctx context.Context, err error) error {
	if ended := s.reading(ctx, func(*link) error { return nil }); ended != nil {
		return ended
	}
	return err
}

// ScanSealed yields the addresses of all sealed values.
func (s *Store) ScanSealed(ctx context.Context) iter.Seq2[store.Ref, error] {
	return func(yield func(store.Ref, error) bool) {
		for _, list := range sealedLists {
			refs := paged(ctx, func(last *sealedRow) (page []sealedRow, err error) {
				from := list.begin
				if last != nil {
					from = last.key
				}
				err = s.read(ctx, list.query, func(row []driver.Value) {
					page = append(page, list.read(row))
				}, from, int64(pageSize))
				return page, err
			})
			for row, err := range refs {
				if !yield(row.Ref, err) || err != nil {
					return
				}
			}
		}
	}
}

// Names yields the names that begin with a prefix, in byte order.
func (s *Store) Names(ctx context.Context, prefix string) iter.Seq2[string, error] {
	names := paged(ctx, func(last *string) (page []string, err error) {
		from, but := prefix, ""
		if last != nil {
			from, but = *last, *last
		}
		err = s.read(ctx, scanNames, func(row []driver.Value) {
			name, _ := row[0].(string)
			page = append(page, name)
		}, from, but, int64(pageSize))
		return page, err
	})
	return func(yield func(string, error) bool) {
		for name, err := range names {
			if err == nil && !strings.HasPrefix(name, prefix) || !yield(name, err) {
				return
			}
		}
	}
}

// sealedRow is the address of a sealed value, and where in its table it stands.
type sealedRow struct {
	store.Ref
	key driver.Value
}

var sealedLists = []struct {
	query string
	begin driver.Value // before every key
	read  func(row []driver.Value) sealedRow
}{
	{scanTokens, []byte{}, func(row []driver.Value) (of sealedRow) {
		digest, _ := row[0].([]byte)
		copy(of.Digest[:], digest)
		of.Integration, _ = row[1].(string)
		of.key = digest
		return of
	}},
	{scanBodies, int64(0), func(row []driver.Value) (of sealedRow) {
		id, _ := row[0].([]byte)
		copy(of.Entry[:], id)
		of.key = row[1]
		return of
	}},
	{scanSecrets, "", func(row []driver.Value) (of sealedRow) {
		of.Name, _ = row[0].(string)
		of.key = of.Name
		return of
	}},
}

// Reseal replaces a sealed value if it still equals old.
func (s *Store) Reseal(ctx context.Context, ref store.Ref, old, new []byte) error {
	kind := ref.Kind()
	switch {
	case len(new) == 0:
		return s.nothing(ctx, store.ErrInvalid)
	case kind == store.RefNothing, len(old) == 0 && kind != store.RefNamed:
		return s.nothing(ctx, nil)
	}
	old, new = bytes.Clone(old), bytes.Clone(new)
	query, args := insertSecret, []driver.Value{ref.Name, new}
	if len(old) > 0 {
		query = updateSealed[kind]
		args = append(append([]driver.Value{new}, place(&ref)...), old)
	}
	return s.erase(ctx, func(l *link) error {
		_, _, err := l.exec(context.Background(), query, args...)
		return err
	})
}

// Shred erases sealed values.
func (s *Store) Shred(ctx context.Context, refs ...store.Ref) error {
	refs = append([]store.Ref(nil), refs...)
	return s.erase(ctx, func(l *link) error {
		for i := range refs {
			kind := refs[i].Kind()
			if kind == store.RefNothing {
				continue
			}
			if _, _, err := l.exec(context.Background(), eraseSealed[kind], place(&refs[i])...); err != nil {
				return err
			}
		}
		return nil
	})
}
