// Package history reads a store's journal and notices when it is no longer the one that was
// read: the store went back to an earlier state, by a failover to a standby that lagged, a
// dump or a backup that was put back.
//
// A [Reader] keeps the position that it has reached and the entry that stood there, the
// entries that this process has committed and not yet read, and the store's incarnation.
// Each look compares them with what the store has. Whatever is missing must have been
// trimmed or forgotten, which the base of its integration shows; else the error is
// [ErrBack].
//
// The histories part somewhere. A Reader knows the last entries that it read, so it can say
// up to which position both are the same.
package history
