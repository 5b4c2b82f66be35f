// Package lifecycle decides what a piece of evidence does to what is known of
// an integration, and what follows for its token: in come a [Record] and
// [Evidence], out come the next Record and a [Decision]; in come a Record, a
// token's [Digest], a [Policy] and a time, out comes a [Verdict].
//
// It is pure: no I/O, no clock, no goroutine. The same journal always folds to the
// same record, byte for byte.
//
// Mews's webhooks carry no identity, no order and mostly no time. They come
// twice, late, out of order, or never. So a delivery is a hint, and only the
// Connector API's own answer settles anything; where the hints contradict each
// other the verdict is [Unknown], never a silent guess. Three ideas carry that:
//
//   - The machine ([State], [Mermaid]) has ten states: the chain of an
//     integration's life, with the enabled flag that survives a cancellation.
//   - The horizon: whatever Mews will deliver of what has happened it delivers
//     within this time, [DefaultHorizon] unless the application says otherwise.
//     Within it, the two halves of a pair ([Pair]) may have changed places, and
//     the pair is suspect; after it, a lone event says how things are.
//   - A token is its own idempotency key ([Key]): one that was superseded is
//     never promoted again by a delivery.
package lifecycle
