// Package lease keeps the lease of a name: the right of one instance, among all on a
// store, to do what has that name. A [Keeper] is given a store and a name, and calls a
// function for as long as the lease is held.
//
//	         Acquire is refused, or fails
//	              ┌──────────┐
//	              ▼          │  try again after a third of the TTL
//	Keep ──► [ waiting ] ────┘
//	              │ Acquire succeeds
//	              ▼
//	         [ holding ] ──► renews after each third of the TTL
//	              │
//	              │ the store says that another holder has it (lost),
//	              │ a TTL has passed since the last renewal began (run out),
//	              │ the work returns, or the context ends
//	              ▼
//	         [ releasing ] ──► waiting, or the end of Keep
//
// The work's context ends before the lease can be somebody else's. A store that hangs
// cannot hide that: the keeper measures the time by this process's own clock, from the
// moment at which it asked, so it never counts longer than the store does.
//
// A renewal that fails ends nothing: the lease holds until it runs out.
//
// Releasing is a courtesy to the next holder. If it fails, the lease runs out.
//
// Two things can still make two instances work at once: work that ignores its context,
// and a machine that was suspended, whose clock stood still. The store fences both: it
// refuses to move the name's cursor under a lease that another holder has. Anything
// else that must not happen twice needs such a fence of its own.
package lease
