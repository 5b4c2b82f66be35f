// Package probe decides which integration to ask Mews about, when, and what a 401
// means. It reads records, has a [connector.Prober] ask Mews, and hands the
// answers back as evidence; it keeps nothing that a restart may not lose. Whom it works
// for is behind [Owner].
//
// What is due follows from the records alone: a generation without an answer at once,
// and everything else before its evidence is too old. The schedule is told ids and
// reads the records itself.
//
//	          Touch: a new generation
//	             ┌──────────────┐
//	             ▼              │
//	nothing ──► open ──► in flight ──► settled ──► open again before MaxAge
//	             ▲              │
//	             └──────────────┘
//	       silence or an unattributed 401: with back-off
//
// Of all instances on a store, the one that holds the lease of the name "probe" asks:
//
//	[ waiting ] ── lease ──► [ leading ] ── lost, or the end ──► [ waiting ]
//	                            │
//	                places all records, and asks anew about all of them
//	                if no leader was alive for 5 minutes; a sweep that
//	                is not finished is left to the next leader
//
// A 401 alone says little: the token, the ClientToken or a permission may be what is
// refused. Type attribution weighs it against what else was heard within a minute.
package probe
