package testkit_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestEventually returns as soon as something is so, and fails once its patience is over.
func TestEventually(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		f := failures{TB: t}
		testkit.Eventually(&f, "three seconds", func() bool { return time.Since(began) >= 3*time.Second })
		if took := time.Since(began); f.failed || took > 4*time.Second {
			t.Errorf("failed: %v, after %v", f.failed, took)
		}
		ended := make(chan struct{})
		began = time.Now()
		go func() { // as Fatal ends its goroutine
			defer close(ended)
			testkit.Eventually(&ending{failures: &f}, "never", func() bool { return false })
		}()
		<-ended
		if took := time.Since(began); !f.failed || took < testkit.Patience || took > testkit.Patience+time.Second {
			t.Errorf("failed: %v, after %v", f.failed, took)
		}
	})
}

// TestSettle lets time pass, and then everything happen that is due.
func TestSettle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began, done := time.Now(), false
		time.AfterFunc(time.Hour, func() { done = true })
		testkit.Settle(time.Hour)
		if !done || time.Since(began) != time.Hour {
			t.Errorf("done: %v, after %v", done, time.Since(began))
		}
	})
}
