-- What Keyrack keeps, in a schema of its own. Every statement may be run again.
--
-- Identifiers and names are bytea, so that they are compared byte by byte whatever
-- the collation and the encoding of the database. The views journal and
-- integrations show them as text.

create schema if not exists keyrack;

create table if not exists keyrack.integration (
  id           bytea  not null primary key,  -- as Mews spells it
  version      bigint not null,              -- one more with each commit
  record       bytea  not null,              -- JSON: all that is known of it
  base_version bigint not null default 0,    -- 0: its journal begins at the beginning
  base         bytea  not null default '',   -- JSON: the record at base_version
  touched      bigint not null               -- arrived of its newest entry
);

-- Everything that happened. An entry arrives without a position; readers
-- assign positions to committed entries, under the lock of the one row of bounds.
create table if not exists keyrack.entry (
  id          uuid   not null primary key,
  position    bigint,                        -- null: has none yet
  -- When it was committed, in microseconds since 1970, UTC, by the clock of the
  -- database, but for one integration always after the entry before: the order in
  -- which positions are given.
  arrived     bigint not null,
  integration bytea  not null,               -- empty: belongs to none
  version     bigint not null,               -- the integration's afterwards; 0 if there is none
  at          bigint not null,               -- microseconds since 1970, UTC
  evidence    bytea  not null,               -- JSON: what came
  decision    bytea  not null,               -- JSON: what it came to
  status      bigint not null,               -- of the HTTP answer; 0: not known
  took        bigint not null                -- nanoseconds, until the answer
);

create unique index if not exists entry_by_position on keyrack.entry (position)
  where position is not null;
create index if not exists entry_by_integration on keyrack.entry (integration, version, position);
-- In the order of integrations, not of arrival: new entries then fall among old
-- ones, and the room of those that have their positions is used again without
-- waiting for a vacuum.
create index if not exists entry_pending on keyrack.entry (integration, version, id)
  where position is null;

-- One row. A transaction that assigns positions or removes entries holds its lock.
create table if not exists keyrack.bounds (
  one     integer not null primary key check (one = 1),
  last    bigint  not null,                  -- the newest position that was given
  trimmed bigint  not null                   -- the newest position that was trimmed
);

insert into keyrack.bounds (one, last, trimmed) values (1, 0, 0) on conflict (one) do nothing;

-- What is sealed stands apart from all else.

create table if not exists keyrack.token (
  digest      bytea not null primary key,    -- keyed, 32 bytes
  integration bytea not null,                -- the owner
  sealed      bytea                          -- null: erased, or never there
);

create index if not exists token_by_integration on keyrack.token (integration);

create table if not exists keyrack.body (
  entry  uuid  not null primary key,
  sealed bytea not null
);

create table if not exists keyrack.secret (
  name   bytea not null primary key,
  sealed bytea not null
);

-- Who may act under a name, and how far in the journal that name has come.
create table if not exists keyrack.lease (
  name     bytea       not null primary key,
  holder   bytea,                            -- null: given up
  fence    bigint      not null,             -- one more with each change of holder
  until    timestamptz not null,
  position bigint      not null              -- the cursor
);

-- For people: select * from keyrack.journal order by position.

create or replace view keyrack.journal as
select e.position, to_timestamp(cast(e.at as double precision) / 1000000) as at,
       encode(e.integration, 'escape') as integration, e.version,
       encode(e.evidence, 'escape') as evidence, encode(e.decision, 'escape') as decision,
       e.status, e.took / 1000000.0 as took_ms, length(b.sealed) as body_bytes, e.id
from keyrack.entry e left join keyrack.body b on b.entry = e.id;

create or replace view keyrack.integrations as
select encode(i.id, 'escape') as id, i.version, encode(i.record, 'escape') as record, i.base_version,
       (select count(*) from keyrack.token t where t.integration = i.id) as tokens,
       (select count(t.sealed) from keyrack.token t where t.integration = i.id) as sealed_tokens
from keyrack.integration i;

create table if not exists keyrack.schema_version (
  one     integer not null primary key check (one = 1),
  version integer not null
);

-- The last statement says that all of it is there.
insert into keyrack.schema_version (one, version) values (1, 1)
  on conflict (one) do update set version = 1 where schema_version.version < 1;
