// Package pgstore is a [store.Store] in a PostgreSQL database, for applications that
// run as several instances. Each instance may commit, and all of them see the same
// integrations and the same journal. The package is built on pgx. It makes its own pool
// or uses the application's.
//
//	s, err := pgstore.Open(ctx, "postgres://keyrack@db.internal/app", nil)
//	...
//	rack, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: sealer})
//
// # Commits
//
// A commit is one statement, and so one round trip and one transaction. It changes the
// integration, only at the expected version, and then the entry, the body and the
// digests, only if the integration was changed. A commit that forgets, erases bodies,
// or claims and disowns digests at once is a transaction of three round trips. If its
// client falls silent, the server ends it after two seconds.
//
// If the database gives up a transaction for the sake of another (SQLSTATE 40001 and
// 40P01), it is repeated until the context ends, so every isolation level will do.
// After a connection was cut the outcome is unknown: Commit returns an error that says
// so, and committing the same again settles it. The repetition waits for a statement
// that a dead client left behind and that the server is still executing. Either it
// finds the entry's id taken, or that statement does and is undone as a whole.
//
// Commits are as durable as the server makes them. A server with synchronous_commit off
// is refused. fsync = off, which is for tests, is not checked. If a standby takes over
// before it has received everything, the missing commits are lost;
// synchronous_standby_names is the remedy.
//
// # The order of the journal
//
// Transactions do not commit in the order in which they begin. So a number that is
// drawn at the beginning cannot be the order of the journal: a reader that has read up
// to 7 would miss a 6 that commits late. Here entries arrive without a position, and
// readers assign positions before they read. One transaction locks the single row of
// the table bounds, and only then looks for committed entries that have no position. So
// positions become visible in their order. Nothing appears before an entry that was
// already read, and nothing is missed, whatever the server's clock, the isolation level
// or the number of instances. Receipts have no position yet.
//
// This costs a second write for each entry, in batches. The rate of commits falls by at
// most about a fifth when client and server share two cores, and a single commit does
// not wait for it. A reader that asks when there is nothing new makes one round trip
// and writes nothing. The instance that commits assigns the positions shortly
// afterwards, so readers usually find them in place.
//
// Every row of the table entry is updated once, so the table wants its autovacuum more
// often than after every fifth row. For a journal of millions of entries, set its
// autovacuum_vacuum_scale_factor to 0.02.
//
// # Transactions of the application
//
// [Store.Transact] is for keyrack.SubscribeTx: a handler writes into the application's own
// tables with a pgx.Tx, and the subscription's progress commits with that. The progress is
// written at the end, first the lease's row, so the handler may take its time. An instance
// that takes over waits for a commit that is under way, and sees what came of it. One whose
// lease was lost meanwhile is fenced, and what its handler wrote is rolled back.
//
// # News
//
// News reports that others may have committed. After a commit, never within it, the
// store sends a NOTIFY, at most one every five milliseconds. Other instances LISTEN on
// a connection beside the pool. That is only a hint. The guarantee is polling: News
// also sends a value every [Options.Poll].
//
// # Poolers
//
// No method relies on session state. Through a pooler in transaction mode, use
// [Options.Pooler], or NoListen and a pool with pgx.QueryExecModeCacheDescribe. Then
// nothing is prepared on the server, and News only polls. The cost is that the server
// plans each statement anew.
//
// A store that Open made recognises such a pooler: a prepared statement is there twice
// (SQLSTATE 42P05) or not at all (26000), or a connection that listens twice hears nothing
// of what the store sends. It then does as with Options.Pooler, repeats what had failed, and
// calls [Options.OnPooler]. With a pool of the application's the error is ErrPooler.
//
// # Other databases
//
// It takes PostgreSQL 13 or newer, or what is that inside, such as Aurora. The tests run on
// PostgreSQL alone, under each level of isolation. Databases that speak its protocol with an
// engine of their own lack the numbers of transactions and the snapshots by which entries
// without a position are found. Not used are advisory locks, SKIP LOCKED, sequences,
// triggers, collations and foreign keys. Where LISTEN or NOTIFY is not supported the store
// does without. The database is to be the primary: a standby lags behind what was answered.
//
// # The schema
//
// All tables are in one schema, keyrack. Open brings it up to date in one transaction,
// which several instances may attempt at once. Alternatively the application calls
// [Migrate], or an administrator runs the files in [Migrations]. An older binary does
// not open a newer schema. The views journal and integrations are for people:
//
//	select * from keyrack.journal order by position desc limit 20;
//
// Erased values disappear from every query at once, and from the files with the next
// vacuum. They stay in the write-ahead log, its archive and in backups.
package pgstore
