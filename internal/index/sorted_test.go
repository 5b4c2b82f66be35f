package index

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
)

// Whatever is put and deleted, in whatever order, After yields what a sorted slice has after
// a key.
func TestSorted(t *testing.T) {
	orders := map[string]func(rng *rand.Rand, i int) int{
		"rising":  func(_ *rand.Rand, i int) int { return i },
		"falling": func(_ *rand.Rand, i int) int { return 10_000 - i },
		"random":  func(rng *rand.Rand, _ int) int { return rng.IntN(10_000) },
	}
	for name, key := range orders {
		t.Run(name, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(1, 2))
			var s Sorted[string, int]
			has := map[string]*int{}
			for i := range 5000 {
				k := fmt.Sprintf("%05d", key(rng, i))
				if i%5 == 4 {
					k = fmt.Sprintf("%05d", key(rng, rng.IntN(i)))
					s.Delete(k)
					delete(has, k)
				} else {
					has[k] = &i
					s.Put(k, &i)
				}
				if i%97 == 0 {
					check(t, &s, has, fmt.Sprintf("%05d", rng.IntN(10_000)))
				}
			}
			check(t, &s, has, "")
			for k := range has {
				s.Delete(k)
			}
			check(t, &s, nil, "")
			s.Put("again", new(int))
			check(t, &s, map[string]*int{"again": new(int)}, "")
		})
	}
}

func check(t *testing.T, s *Sorted[string, int], has map[string]*int, after string) {
	t.Helper()
	var want []int
	for _, k := range slices.Sorted(keysAfter(has, after)) {
		want = append(want, *has[k])
	}
	var got []int
	s.After(after, func(v *int) bool { got = append(got, *v); return true })
	if !slices.Equal(got, want) {
		t.Fatalf("after %q there are %d values, want %d: %v", after, len(got), len(want), got)
	}
	got = nil
	s.After(after, func(v *int) bool { got = append(got, *v); return len(got) < 70 })
	if !slices.Equal(got, want[:min(len(want), 70)]) {
		t.Fatalf("the first 70 after %q are %v", after, got)
	}
}

func keysAfter(has map[string]*int, after string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range has {
			if k > after && !yield(k) {
				return
			}
		}
	}
}

// While others are put and deleted, a reader finds all that stays, once and in order.
func TestSortedWhileItChanges(t *testing.T) {
	var s Sorted[int, int]
	for i := range 3000 {
		s.Put(2*i, &i)
	}
	var writers sync.WaitGroup
	writers.Go(func() {
		for i := range 3000 {
			s.Put(2*i+1, new(-1))
			s.Delete(2*(i/2) + 1)
		}
	})
	for range 20 {
		next := 0
		s.After(-1, func(v *int) bool {
			if *v < 0 {
				return true
			}
			if *v != next {
				t.Errorf("%d comes where %d should", *v, next)
				return false
			}
			next++
			return true
		})
		if next != 3000 {
			t.Errorf("%d of 3000 were found", next)
			break
		}
	}
	writers.Wait()
}
