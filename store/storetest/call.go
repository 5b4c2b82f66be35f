package storetest

import (
	"math"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// Call is a call in a recorded history, with its answer. Calls whose answer says
// nothing are left out.
type Call struct {
	Kind        Kind
	Begin, End  int64 // ticks of one clock, no two alike; End is Never for a commit that did not return
	Integration string
	Version     uint64 // of Committed: afterwards; of Conflicted: expected; of Loaded: seen
	ID          store.EntryID
	Claim       []lifecycle.Digest // of Committed
	Disown      []lifecycle.Digest // of Committed
	Digest      lifecycle.Digest   // of Owned and Asked
	Owner       string             // of Owned and Asked; "" for nobody
}

// Kind says which method was called and how it ended. The zero Kind is not used.
type Kind uint8

const (
	Committed  Kind = iota + 1 // Commit returned nil, at once or when it was repeated
	Conflicted                 // Commit returned ErrConflict
	Owned                      // Commit returned ErrOwned
	Loaded                     // Load returned a version, 0 for ErrNotFound, written by the commit with this id
	Asked                      // Owner returned
)

// Never is the end of a call that did not return.
const Never = math.MaxInt64
