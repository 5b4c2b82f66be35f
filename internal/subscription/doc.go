// Package subscription does one name's work on a store's journal: it reads the
// entries in order, hands those that are wanted to a handler, and keeps in the store
// how far it has got. Entries come in from the store, calls of a handler go out.
//
// Of all instances that run a name, one works: the one that holds the name's lease
// (package lease). Everything else that has to survive lies in the store under the
// name as well:
//
//	cursor "subscription NAME"                 everything up to it is done
//	"subscribed NAME"                          the name exists, and where it begins
//	"subscription NAME control"                what the operator wants: pause, rewind
//	"subscription NAME dead ENTRY"             a dead letter
//
// An entry goes through these states. Entries of one integration keep their order, so
// what comes after a failed one waits behind it; other integrations go on.
//
//	        wanted        handled
//	read ──────────► tried ──────► done ──► the cursor may pass it
//	  │ not wanted     │ ▲ failed        ▲
//	  └───────────┐    ▼ │ back-off      │ after Attempts failures
//	              │  waiting ──────► dead letter
//	              └────────────────────────┘
//
// The cursor never passes an entry that is not done, so after a crash some entries are
// handled again, with the same ids, and none is lost.
package subscription
