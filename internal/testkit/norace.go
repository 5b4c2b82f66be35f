//go:build !race

package testkit

// Race says whether the race detector runs. It slows pure Go down tenfold.
const Race = false
