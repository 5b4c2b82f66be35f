-- Which history versions and positions belong to. Every statement may be run again.

-- The entry that made an integration's version. Null: it was gone already when the column
-- came.
alter table keyrack.integration add column if not exists last uuid;
update keyrack.integration i set last = e.id from keyrack.entry e
  where i.last is null and e.integration = i.id and e.version = i.version and e.version > 0;

-- A name for the whole. Somebody who puts an earlier state of the database back gives it
-- another one.
alter table keyrack.bounds add column if not exists incarnation uuid not null default gen_random_uuid();

-- The last statement says that all of it is there.
update keyrack.schema_version set version = 3 where one = 1 and version < 3;
