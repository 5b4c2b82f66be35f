// Package lifecycle decides what a piece of evidence changes about an integration, and
// whether its token is still valid. [Record.Apply] takes a [Record] and [Evidence] and
// returns the next Record and a [Decision]. [Record.Verdict] takes a token's [Digest],
// a [Policy] and a time, and returns a [Verdict].
//
// The package is pure: no I/O, no clock, no goroutine. The same journal always folds to
// the same record, byte for byte.
//
// Mews's webhooks carry no identity, no order and mostly no time. They come twice,
// late, out of order, or never. So a delivery is only a hint, and only the answer of
// the Connector API settles anything. If the hints contradict each other, the verdict
// is [Unknown], never a silent guess. Three ideas make this work:
//
//   - The machine ([State], [Mermaid]) has ten states: the chain of an
//     integration's life, with the enabled flag that survives a cancellation.
//   - The horizon: Mews delivers what it will ever deliver about an event within
//     this time, [defaultHorizon] unless the application says otherwise.
//     Within it, a webhook may be a copy, and two may have changed places. The
//     verdict is Unknown only where two histories that fit what has arrived end
//     differently ([Record.Possible]).
//   - A token is its own idempotency key ([Key]): no delivery promotes a token that
//     was superseded.
package lifecycle
