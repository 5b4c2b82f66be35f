package index

import (
	"cmp"
	"slices"
	"sync"
)

// Sorted keeps values in the order of their keys. It is made for readers that want a page
// from somewhere, and for writers that mostly add. The zero value is empty and ready for
// use, and all methods are safe for concurrent use.
//
// The pairs stand in leaves of bounded size, and the leaves in one slice: two binary
// searches find a key, and what a writer moves is a leaf, or now and then the slice.
type Sorted[K cmp.Ordered, V any] struct {
	mu     sync.RWMutex
	leaves [][]pair[K, V] // none is empty
}

type pair[K cmp.Ordered, V any] struct {
	key   K
	value *V
}

func (p pair[K, V]) compare(key K) int { return cmp.Compare(p.key, key) }

const (
	leafSize = 512
	pageSize = 64 // values that After takes under one lock
)

// Put sets the value of a key.
func (s *Sorted[K, V]) Put(key K, value *V) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leaf(key)
	if l < 0 {
		s.leaves = append(s.leaves, []pair[K, V]{{key, value}})
		return
	}
	at, there := slices.BinarySearchFunc(s.leaves[l], key, pair[K, V].compare)
	if there {
		s.leaves[l][at].value = value
		return
	}
	if len(s.leaves[l]) == leafSize {
		// What comes in order fills each leaf; else both halves get room.
		keep := leafSize / 2
		if at == leafSize && l == len(s.leaves)-1 {
			keep = leafSize
		}
		rest := append(make([]pair[K, V], 0, leafSize), s.leaves[l][keep:]...)
		clear(s.leaves[l][keep:])
		s.leaves[l] = s.leaves[l][:keep]
		s.leaves = slices.Insert(s.leaves, l+1, rest)
		if at > keep || at == leafSize {
			l, at = l+1, at-keep
		}
	}
	s.leaves[l] = slices.Insert(s.leaves[l], at, pair[K, V]{key, value})
}

// Delete forgets a key.
func (s *Sorted[K, V]) Delete(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := s.leaf(key)
	if l < 0 {
		return
	}
	at, there := slices.BinarySearchFunc(s.leaves[l], key, pair[K, V].compare)
	if !there {
		return
	}
	if s.leaves[l] = slices.Delete(s.leaves[l], at, at+1); len(s.leaves[l]) == 0 {
		s.leaves = slices.Delete(s.leaves, l, l+1)
	}
}

// leaf returns the number of the leaf that a key belongs into, -1 if there is none at all.
func (s *Sorted[K, V]) leaf(key K) int {
	at, there := slices.BinarySearchFunc(s.leaves, key, func(leaf []pair[K, V], key K) int { return leaf[0].compare(key) })
	if there || at == 0 && len(s.leaves) > 0 {
		return at
	}
	return at - 1
}

// After calls yield with the values whose keys come after one, in order, until it returns
// false. It holds no lock meanwhile. What is put or deleted in the meantime may be among
// them or not.
func (s *Sorted[K, V]) After(key K, yield func(*V) bool) {
	var page [pageSize]pair[K, V]
	for {
		n := s.page(key, page[:])
		for _, p := range page[:n] {
			if !yield(p.value) {
				return
			}
			key = p.key
		}
		if n < pageSize {
			return
		}
	}
}

// page fills a slice with what comes after a key, and returns how much that is.
func (s *Sorted[K, V]) page(key K, page []pair[K, V]) (n int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	l := s.leaf(key)
	if l < 0 {
		return 0
	}
	at, there := slices.BinarySearchFunc(s.leaves[l], key, pair[K, V].compare)
	if there {
		at++
	}
	for ; l < len(s.leaves) && n < len(page); l, at = l+1, 0 {
		n += copy(page[n:], s.leaves[l][at:])
	}
	return n
}
