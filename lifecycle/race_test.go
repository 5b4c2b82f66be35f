//go:build race

package lifecycle_test

// raceEnabled: the race detector slows the long walks down tenfold.
const raceEnabled = true
