-- Readable views, one entry for each version, and entries that are found by the
-- transaction that brought them. Every statement may be run again.

-- The transaction that brought the entry. Null: it had its position before this column
-- was there.
alter table keyrack.entry add column if not exists xact xid8;
alter table keyrack.entry alter column xact set default pg_current_xact_id();

-- Everything that was visible to this snapshot has its position. Null: nobody knows.
alter table keyrack.bounds add column if not exists seen pg_snapshot;

-- Readers look for what came after that snapshot, so that they do not walk again over
-- what has its position since, which a long transaction anywhere in the database keeps
-- in the index.
create index if not exists entry_fresh on keyrack.entry (xact, integration, version, id)
  where position is null;
drop index if exists keyrack.entry_pending;

-- What has no position yet, and came before the column, is given one here. Nobody
-- else writes to the table meanwhile.
with pending as (
  select id, row_number() over (order by arrived, id) as place
  from keyrack.entry where position is null and xact is null
), counted as (
  update keyrack.bounds set last = last + (select count(*) from pending) where one = 1
  returning last - (select count(*) from pending) as base
)
update keyrack.entry set position = counted.base + pending.place
from pending, counted where entry.id = pending.id;

-- One entry of an integration for each of its versions. Entries of none have version 0.
create unique index if not exists entry_by_version on keyrack.entry (integration, version)
  where version > 0;
create index if not exists entry_of_none on keyrack.entry (position) where version = 0;
drop index if exists keyrack.entry_by_integration;

-- How long a lease lasts without being renewed, in microseconds; 0: not known.
alter table keyrack.lease add column if not exists length bigint not null default 0;

-- Text where it is text, else as before.
create or replace function keyrack.readable(bytes bytea) returns text language plpgsql immutable as $$
begin
  return convert_from(bytes, 'UTF8'); exception when others then return encode(bytes, 'escape'); end $$;

create or replace view keyrack.journal as
select e.position, to_timestamp(cast(e.at as double precision) / 1000000) as at,
       keyrack.readable(e.integration) as integration, e.version,
       keyrack.readable(e.evidence) as evidence, keyrack.readable(e.decision) as decision,
       e.status, e.took / 1000000.0 as took_ms, length(b.sealed) as body_bytes, e.id
from keyrack.entry e left join keyrack.body b on b.entry = e.id;

create or replace view keyrack.integrations as
select keyrack.readable(i.id) as id, i.version, keyrack.readable(i.record) as record, i.base_version,
       (select count(*) from keyrack.token t where t.integration = i.id) as tokens,
       (select count(t.sealed) from keyrack.token t where t.integration = i.id) as sealed_tokens
from keyrack.integration i;

-- The last statement says that all of it is there.
update keyrack.schema_version set version = 2 where one = 1 and version < 2;
