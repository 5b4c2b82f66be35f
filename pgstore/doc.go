// Package pgstore is a [store.Store] in a PostgreSQL database, for applications that
// run as several instances: commits come in from any of them, and all of them see
// the same integrations and the same journal. It is built on pgx; the pool is
// its own or the application's.
//
//	s, err := pgstore.Open(ctx, "postgres://keyrack@db.internal/app", nil)
//	...
//	rack, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: sealer})
//
// # Commits
//
// A commit is one statement, and so one round trip and one transaction: the change
// of the integration, which happens only at the expected version, and the entry,
// the body and the digests, each of which happens only if that did. Only a commit
// that forgets, erases bodies, or claims and disowns digests at once is a
// transaction of three round trips; if its client falls silent the server ends
// it after two seconds.
//
// What the database gives up for the sake of another transaction (SQLSTATE 40001
// and 40P01) is done again until the context ends, so that every level of isolation
// will do. After a connection was cut nobody knows: Commit returns an error that
// says so, and committing the same again settles it. The repetition waits for a
// statement that a dead client left behind and the server is still carrying out:
// either it finds the entry's id taken, or the statement does and is undone as a
// whole.
//
// Commits are as durable as the server makes them. A server with synchronous_commit
// off is refused; fsync = off, which is for tests, is not looked for. Where a
// standby takes over that had not received everything yet, what was missing is
// lost: synchronous_standby_names is the remedy.
//
// # The order of the journal
//
// Transactions commit in another order than that in which they began, so that no
// number that a commit takes along can be the order of the journal: whoever has
// read up to 7 would miss a 6 that commits late. Here entries arrive without a
// position. Whoever reads gives positions to what was committed, first: in one
// transaction, which takes the lock of the one row of the table bounds and
// only then looks which entries have none. Positions so become visible in their
// order, nothing appears before what somebody has read, and nothing is missed,
// whatever the server's clock, the level of isolation or the number of instances.
// Receipts have no position yet.
//
// It costs each entry a second write, in batches: at most about a fifth of the rate of
// commits where client and server share two cores, and nothing that a single
// commit waits for. Who asks for news when there is none makes one round trip and
// writes nothing. The instance that commits gives out the positions shortly
// afterwards, so that the readers find them there.
//
// A table in which every row is updated once wants its autovacuum more often than
// every fifth row: for a journal of millions, set autovacuum_vacuum_scale_factor
// of the table entry to 0.02.
//
// # News
//
// News tells when others may have committed. After a commit, never within it,
// the store sends a NOTIFY, at most one in five milliseconds; others LISTEN on
// a connection beside the pool. That is a hint. The guarantee is polling: News
// sends a value every [Options.Poll], too, come what may.
//
// # Poolers
//
// No method relies on the state of a session. Through a pooler in transaction mode,
// use [Options.Pooler], or NoListen and a pool with pgx.QueryExecModeCacheDescribe:
// nothing is prepared on the server, and there is polling alone. What that costs is
// that the server plans each statement anew.
//
// # Other databases
//
// The tests run on PostgreSQL alone, under each level of isolation. What is used is
// kept to what CockroachDB, YugabyteDB and Aurora document as well: tables, partial indexes, views; WITH that changes data, each
// table at most once in a statement; INSERT … ON CONFLICT; SELECT … FOR UPDATE of
// one row; arrays as parameters; clock_timestamp. Not used are advisory locks, SKIP LOCKED,
// xmin and snapshot functions, sequences, triggers, functions of our own,
// collations and foreign keys. Where LISTEN or NOTIFY is not supported the store does without. The
// database is to be the primary: a standby lags behind what was answered.
//
// # The schema
//
// All tables are in one schema, keyrack. Open brings it up to date, in one
// transaction, which several instances may do at once; or the application calls
// [Migrate], or an administrator runs the files in [Migrations]. An older binary
// does not open a newer schema. The views journal and integrations are for
// people:
//
//	select * from keyrack.journal order by position desc limit 20;
//
// What is erased is gone for every query at once, and from the files with the
// next vacuum, but stays in the write-ahead log, its archive and in backups.
package pgstore
