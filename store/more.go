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
