package notifier_test

import (
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/keyrack-dev/keyrack/internal/notifier"
)

// TestAllAreWoken: everyone who waits is, once, and what comes later waits again.
func TestAllAreWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n notifier.Notifier
		n.Notify() // to nobody
		var woken atomic.Int32
		for range 3 {
			wait := n.Wait()
			go func() {
				<-wait
				woken.Add(1)
			}()
		}
		synctest.Wait()
		if woken.Load() != 0 {
			t.Fatalf("%d were woken by nothing", woken.Load())
		}
		n.Notify()
		synctest.Wait()
		if woken.Load() != 3 {
			t.Errorf("%d of 3 were woken", woken.Load())
		}
		select {
		case <-n.Wait():
			t.Error("news that was told already is told again")
		default:
		}
	})
}

// TestNoNewsIsMissed: what comes between Wait and waiting wakes all the same.
func TestNoNewsIsMissed(t *testing.T) {
	var n notifier.Notifier
	wait := n.Wait()
	n.Notify()
	select {
	case <-wait:
	default:
		t.Error("the news is lost")
	}
}
