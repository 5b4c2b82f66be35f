// Package subscription does one name's work on a store's journal. A [Subscriber] reads
// the entries in order, calls a handler with those that are wanted, and keeps in the
// store how far it has got. [Pause], [Resume], [Rewind] and [Forget] control a
// subscription through the store, wherever it works.
//
// Of all instances that run a name, one works: the one that holds the name's lease
// (package lease). All that a restart must not lose lies in the store under the name:
//
//	cursor "subscription NAME"                 everything up to it is done
//	"subscribed NAME"                          the name exists, and where it begins
//	"subscription NAME control"                what the operator wants: pause, rewind
//	"subscription NAME dead ENTRY"             a dead letter
//
// An entry goes through these states. Entries of one integration keep their order, so
// what comes after a failed one waits behind it; other integrations go on.
//
//	           not wanted
//	  ┌───────────────────────────────┐
//	  │   wanted         handled      ▼
//	read ────────► tried ──────────► done ──► the cursor may pass it
//	                │ ▲               ▲
//	         failed │ │ after a       │
//	                ▼ │ back-off      │
//	              waiting ───────► dead letter
//	                 after Attempts failures
//
// The cursor never passes an entry that is not done, so after a crash some entries are
// handled again, with the same ids, and none is lost.
package subscription
