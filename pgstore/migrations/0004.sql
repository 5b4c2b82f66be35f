-- Which builds may work on the schema. A migration that only adds to it leaves oldest as it
-- is, so that builds from before go on, start anew and can be gone back to. One that takes
-- something away raises it. Every statement may be run again.

-- The version of the schema that a build must know to work on this one.
alter table keyrack.schema_version add column if not exists oldest integer not null default 4;

-- The last statement says that all of it is there.
update keyrack.schema_version set version = 4 where one = 1 and version < 4;
