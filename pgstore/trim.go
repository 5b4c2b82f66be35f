package pgstore

import (
	"context"

	"github.com/keyrack-dev/keyrack/store"
)

// Both take the lock of the bounds first, as every transaction does that changes
// several entries. The entries that they remove have positions, so it is known which
// readers miss them.
const (
	trimTo = `with locked as (select one from keyrack.bounds where one = 1 for update),
based as (
  update keyrack.integration set base_version = $2::bigint,
    base = case when base_version < $2::bigint then $3::bytea else base end
  from locked where id = $1::bytea and version >= $2::bigint and base_version <= $2::bigint
  returning id
), gone as (
  delete from keyrack.entry using based
  where entry.integration = based.id and entry.version <= $2::bigint and entry.version > 0
  returning entry.id, entry.position
), bodies as (
  delete from keyrack.body using gone where body.entry = gone.id
)
update keyrack.bounds set trimmed = greatest(trimmed, (select max(position) from gone))
where one = 1 and exists (select 1 from gone)`
	trimNameless = `with locked as (select one from keyrack.bounds where one = 1 for update),
gone as (
  delete from keyrack.entry using locked
  where integration = ''::bytea and version = 0 and position <= $1::bigint
  returning id, position
), bodies as (
  delete from keyrack.body using gone where body.entry = gone.id
)
update keyrack.bounds set trimmed = greatest(trimmed, (select max(position) from gone))
where one = 1 and exists (select 1 from gone)`
	getVersions = `select version, base_version from keyrack.integration where id = $1::bytea`
)

// Trim removes the entries of an integration up to a version, and keeps base.
func (s *Store) Trim(ctx context.Context, integration string, through uint64, base []byte) error {
	if integration == "" {
		_, err := s.exec(ctx, freely, trimNameless, position(store.Position(through)))
		return err
	}
	var version, baseVersion int64
	err := s.row(ctx, freely, store.ErrNotFound, getVersions, []any{[]byte(integration)}, &version, &baseVersion)
	switch {
	case err != nil:
		return err
	case through > uint64(version):
		return store.ErrInvalid
	case through < uint64(baseVersion):
		return nil
	}
	// Everything up to through was committed before.
	if _, err := s.sequenced(ctx); err != nil {
		return err
	}
	_, err = s.exec(ctx, freely, trimTo, []byte(integration), int64(through), present(base))
	return err
}
