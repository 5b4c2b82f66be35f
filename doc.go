// Package keyrack knows, for every hotel that is connected to an application through
// Mews, whether its access token is still valid. It takes in the webhooks that Mews sends
// when a hotel connects, disables, cancels, reinstates or deletes an integration or
// regenerates its token. Before every call to Mews the application can ask it about the
// token, and gets a [Verdict] with its reason, without I/O.
//
// Webhooks come twice, late, out of order, or never. So the answer has three values, and
// only Valid may be used as true. If the evidence is ambiguous the answer is Unknown, with
// the best guess beside it, and never silently wrong.
//
//	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
//	...
//	webhooks, err := rack.Handler(secrets, nil)
//	http.ListenAndServe("127.0.0.1:8080", webhooks)
//	...
//	if rack.Check(token).Active() { ... }
//
// A [Rack] stands on a store ([github.com/keyrack-dev/keyrack/store]); what the
// evidence means is decided in [github.com/keyrack-dev/keyrack/lifecycle].
//
// # How to read it
//
// The package is a facade. [Open] makes a [Rack]; everything else is a method of it,
// one subject a file:
//
//	evidence comes in       deliver.go import.go report.go byhand.go webhook.go
//	                        the application's own calls in transport.go
//	questions are answered  check.go list.go explain.go journal.go
//	changes are told        subscribe.go telemetry.go, and While in check.go
//	in the background       follow.go (what other instances commit), back.go (the store
//	                        went back), probe.go (Mews is asked), upkeep.go (tokens are
//	                        erased, the journal is trimmed)
//
// What evidence means is decided in package lifecycle, which is pure: a record and a
// piece of evidence go in, and the next record comes back. The parts of the engine are
// packages under internal, each with a page of its own: view (records in memory), probe
// (when to ask whom, and what a 401 means), subscription, lease, guard, entry, and some
// small ones, which docs/architecture.md lists. Package atrest works on a store without a
// Rack.
//
// A delivery takes this way, and a 204 is answered only at its end:
//
//	HTTP ─► events.Decode ─► lifecycle.Record.Apply ─► store.Commit ─► view ─► 204
//	                                 ▲                      │
//	                                 └──── on a conflict ───┘
//
// Questions read the view alone. The docs folder has the architecture, the guarantees
// with what they rest on, the decisions with their reasons, and a glossary.
package keyrack
