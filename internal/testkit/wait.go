package testkit

import (
	"testing"
	"testing/synctest"
	"time"
)

// Patience is how long a test waits for what should come at once.
const Patience = time.Minute

// Eventually waits until something is so, and fails if that takes longer than Patience.
func Eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("in vain waited for: ", what)
		}
	}
}

// Settle lets everything happen that is due within a while of virtual time.
func Settle(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}
