package probe

import (
	"fmt"
	"testing"
)

// TestQueueStarvesNobody: however many wait in the more urgent classes, each class gets
// at least a tenth of the turns, and within a class the longest waiting comes first.
func TestQueueStarvesNobody(t *testing.T) {
	q := newQueue()
	for c := range numClasses {
		for i := range 1000 {
			q.set(q.wait(fmt.Sprint(c, " ", i)), at(i), c)
		}
	}
	var turns [numClasses]int
	var latest [numClasses]int
	free := func(class) bool { return false }
	for range 1000 {
		w, _ := q.next(at(5000), free)
		turns[w.class]++
		if second := int(w.due.Sub(at(0)).Seconds()); second < latest[w.class] {
			t.Fatalf("class %d: %d comes after %d", w.class, second, latest[w.class])
		} else {
			latest[w.class] = second
		}
	}
	for c, n := range turns {
		if n < 100 {
			t.Errorf("class %d got %d of 1000 turns", c, n)
		}
	}
	if turns[proven] < 500 {
		t.Errorf("those that were proved once got %d of 1000 turns", turns[proven])
	}
	for {
		w, due := q.next(at(5000), func(c class) bool { return c == again })
		if w == nil {
			if !due.IsZero() {
				t.Errorf("something is due at %v", due)
			}
			break
		}
		if w.class == again {
			t.Fatal("a class that is held was taken")
		}
	}
	if n := len(q.classes[again]); n == 0 {
		t.Error("nothing is left of the held class")
	}
}
