package striped_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/keyrack-dev/keyrack/internal/striped"
)

// TestOneAtATime: a name's lock has one holder, and is passed on to all who wait.
func TestOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := striped.New()
		holders, turns := 0, 0
		for range 50 {
			go func() {
				held, err := l.Lock(t.Context(), "a")
				if err != nil {
					t.Error(err)
					return
				}
				defer held.Unlock()
				if holders++; holders != 1 {
					t.Errorf("%d holders", holders)
				}
				turns++
				holders--
			}()
		}
		synctest.Wait()
		if turns != 50 {
			t.Errorf("%d of 50 had their turn", turns)
		}
	})
}

// TestWaitingEndsWithTheContext: a lock that is free is given even so.
func TestWaitingEndsWithTheContext(t *testing.T) {
	l := striped.New()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	held, err := l.Lock(ended, "a")
	if err != nil {
		t.Fatalf("a free lock: %v", err)
	}
	if _, err := l.Lock(ended, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("a lock that is held: %v", err)
	}
	held.Unlock()
	if held, err = l.Lock(ended, "a"); err != nil {
		t.Fatalf("a lock that is free again: %v", err)
	}
	held.Unlock()
}

// TestFewShareAStripe: the lock of one name blocks few others.
func TestFewShareAStripe(t *testing.T) {
	l := striped.New()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	held, err := l.Lock(ended, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer held.Unlock()
	waiting := 0
	for i := range 1000 {
		if other, err := l.Lock(ended, fmt.Sprint(i)); err != nil {
			waiting++
		} else {
			other.Unlock()
		}
	}
	if waiting > 50 { // 4 are to be expected
		t.Errorf("%d of 1000 names wait for one", waiting)
	}
}
