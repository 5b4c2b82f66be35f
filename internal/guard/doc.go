// Package guard stands between a Rack and code that somebody else wrote: a store, a
// sealer, a prober, a handler. It takes such a thing and returns the same thing,
// contained:
//
//   - Every call ends. A store that does not answer within [Patience], or before the
//     caller's context ends, fails with the context's error.
//   - A panic is an error. [Panicked] is the one place of the module that recovers.
//   - No error quotes anything. What a database says may hold a key, a digest or a
//     name, and errors end up in logs. [Foreign] replaces the text by what is known to
//     be safe: our own sentinels, what implements [store.Failure], and types. The
//     error as it came is still there for errors.Is and errors.As.
//
// An iteration is one call. The time that its consumer takes does not count, and a
// panic of the consumer's stays the consumer's:
//
//	begin ──► step ──► consumer ──► step ──► … ──► end
//	    30 s at most     any time    30 s at most
//
// The package knows nothing of what is stored or sealed, and starts no goroutine.
package guard
