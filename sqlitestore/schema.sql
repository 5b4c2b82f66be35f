-- What Keyrack keeps. Records, evidence and decisions are JSON, to be looked
-- into with json_extract; begin with the views journal and integrations.

CREATE TABLE integration (
  number       INTEGER PRIMARY KEY,
  id           TEXT    NOT NULL UNIQUE,    -- as Mews spells it
  version      INTEGER NOT NULL,           -- one more with each commit
  newest       INTEGER NOT NULL,           -- the position of its newest entry
  record       TEXT    NOT NULL,           -- JSON: all that is known of it
  base_version INTEGER NOT NULL DEFAULT 0, -- 0: its journal begins at the beginning
  base         TEXT    NOT NULL DEFAULT '' -- JSON: the record at base_version
) STRICT;

-- Everything that happened, in one order.
CREATE TABLE entry (
  position    INTEGER PRIMARY KEY,
  id          BLOB    NOT NULL UNIQUE,     -- a UUID, 16 bytes
  integration INTEGER REFERENCES integration (number), -- NULL: belongs to none
  version     INTEGER NOT NULL,            -- the integration's afterwards
  previous    INTEGER NOT NULL,            -- the position of its entry before; 0, or gone: none
  at          INTEGER NOT NULL,            -- microseconds since 1970, UTC
  evidence    TEXT    NOT NULL,            -- JSON: what came
  decision    TEXT    NOT NULL,            -- JSON: what it came to
  status      INTEGER NOT NULL,            -- of the HTTP answer; 0: not known
  took        INTEGER NOT NULL             -- nanoseconds, until the answer
) STRICT;

-- The entries of an integration hang together by newest and previous, which costs
-- a commit nothing where an index would cost it a page.
CREATE INDEX entry_of_none ON entry (integration) WHERE integration IS NULL;

-- One row: where the journal begins and how far it ever reached, so that no
-- position is given twice.
CREATE TABLE journal_bounds (
  only    INTEGER PRIMARY KEY CHECK (only = 1),
  trimmed INTEGER NOT NULL, -- the newest position that was trimmed
  removed INTEGER NOT NULL  -- the newest position that was removed in any way
) STRICT;

INSERT INTO journal_bounds VALUES (1, 0, 0);

CREATE TRIGGER entry_removed AFTER DELETE ON entry BEGIN
  UPDATE journal_bounds SET removed = old.position WHERE removed < old.position;
END;

-- What is sealed stands apart from all else.

CREATE TABLE token (
  digest      BLOB    NOT NULL PRIMARY KEY, -- keyed, 32 bytes
  integration INTEGER NOT NULL REFERENCES integration (number),
  sealed      BLOB                          -- NULL: erased
) STRICT, WITHOUT ROWID;

CREATE INDEX token_by_integration ON token (integration);

CREATE TABLE body (
  position INTEGER PRIMARY KEY REFERENCES entry (position),
  sealed   BLOB NOT NULL
) STRICT;

CREATE TABLE secret (
  name   TEXT NOT NULL PRIMARY KEY,
  sealed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Who may act under a name, and how far in the journal that name has come.
CREATE TABLE lease (
  name     TEXT    NOT NULL PRIMARY KEY,
  holder   TEXT,             -- NULL: given up
  fence    INTEGER NOT NULL, -- one more with each change of holder
  until    INTEGER NOT NULL, -- microseconds since 1970, UTC
  position INTEGER NOT NULL  -- the cursor
) STRICT, WITHOUT ROWID;

-- For people.

CREATE VIEW journal AS
SELECT e.position,
       strftime('%Y-%m-%d %H:%M:%S', e.at / 1000000, 'unixepoch')
         || printf('.%06dZ', e.at % 1000000) AS at,
       i.id AS integration, e.version, e.evidence, e.decision, e.status,
       round(e.took / 1e6, 3) AS took_ms, length(b.sealed) AS body_bytes,
       lower(substr(hex(e.id), 1, 8) || '-' || substr(hex(e.id), 9, 4) || '-' ||
         substr(hex(e.id), 13, 4) || '-' || substr(hex(e.id), 17, 4) || '-' ||
         substr(hex(e.id), 21)) AS id
FROM entry e
LEFT JOIN integration i ON i.number = e.integration
LEFT JOIN body b ON b.position = e.position;

CREATE VIEW integrations AS
SELECT i.id, i.version, i.record, i.base_version,
       strftime('%Y-%m-%d %H:%M:%SZ', e.at / 1000000, 'unixepoch') AS newest_at,
       (SELECT count(*) FROM token t WHERE t.integration = i.number) AS tokens,
       (SELECT count(sealed) FROM token t WHERE t.integration = i.number) AS sealed_tokens
FROM integration i
LEFT JOIN entry e ON e.position = i.newest;
