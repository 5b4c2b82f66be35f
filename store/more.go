package store

import "context"

// Volatile is implemented by stores that may end with the process. Where Volatile
// returns true, what they hold may be sealed with a key that nobody keeps.
type Volatile interface {
	Volatile() bool
}

// News is implemented by stores that can tell when another instance may have
// committed something. It is a hint: the channel gets a value soon after, several
// commits may share one, and some may be missed. The channel is closed once ctx ends;
// nil means that the store cannot tell after all.
type News interface {
	News(ctx context.Context) <-chan struct{}
}

// Transactor is implemented by stores in whose transactions an application can write as well.
// Tx is what it writes with, such as pgx.Tx.
type Transactor[Tx any] interface {
	// Transact begins a transaction, calls do with it once, and commits what do has written
	// together with the progress; both happen or neither does, after every crash. It returns
	//
	//   - nil: the transaction was committed, as durably as the store's own commits are;
	//   - the error of do: nothing happened;
	//   - ErrRolledBack: what do has written cannot be committed, and nothing happened;
	//   - ErrFenced: the lease is not the newest of its name or was given up, or the progress
	//     does not begin where the name stands, and nothing happened. An expired lease will do;
	//   - any other error, including that of an expired context: the outcome is unknown. The
	//     cursor and the value tell, once the lease was acquired again.
	//
	// do must neither commit the transaction nor keep it. It may take its time: nothing of
	// the store is locked meanwhile.
	Transact(ctx context.Context, p Progress, do func(ctx context.Context, tx Tx) error) error
}

// Progress is how far the work of a name has got.
type Progress struct {
	Lease Lease
	// From and To are the cursor of the lease's name, before and afterwards.
	From, To Position
	// Ref is where a value with a Name lies, and Old and New are that value before and
	// afterwards; nil for none.
	Ref      Ref
	Old, New []byte
}

// ErrRolledBack: a transaction cannot be committed, because of what was written in it.
// Nothing was changed.
var ErrRolledBack = NewFailure("store: the transaction was rolled back")
