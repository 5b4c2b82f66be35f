// Package index is a hash table that readers use without a lock while one writer adds
// to it. The caller brings each key with its hash, and gets a pointer to a value.
//
//	hash ──► word: hash | number ──► entry: key, value
//
// The words are an open-addressed array; the entries stand in chunks beside it. Looking
// up a key that is there mostly touches one word and one entry. The table grows by
// building a second array that readers do not see, and swapping it in; both arrays share
// the entries unless some were deleted.
package index

import (
	"sync"
	"sync/atomic"
)

// Table maps keys to values. The zero value is empty and ready for use. Get may
// run at any time, beside anything; the other methods exclude each other.
type Table[K comparable, V any] struct {
	now atomic.Pointer[array[K, V]]
	mu  sync.Mutex
}

const chunkBits = 9 // entries a chunk, as a power of two

type entry[K comparable, V any] struct {
	key   K
	value atomic.Pointer[V] // nil: deleted
}

type chunk[K comparable, V any] [1 << chunkBits]entry[K, V]

// array is one generation of the table. A word or an entry changes from zero to its
// content once; after that only an entry's value changes.
type array[K comparable, V any] struct {
	words  []atomic.Uint64 // hash<<32 | number of the entry + 1; 0: free
	chunks []*chunk[K, V]  // as many as the words have room for, filled as needed
	used   int             // entries, the deleted ones included
	dead   int
}

// Get returns the value of a key, or nil. It takes no lock and does not allocate.
func (t *Table[K, V]) Get(hash uint32, key K) *V {
	a := t.now.Load()
	if a == nil {
		return nil
	}
	if e := a.find(hash, key); e != nil {
		return e.value.Load()
	}
	return nil
}

func (a *array[K, V]) find(hash uint32, key K) *entry[K, V] {
	mask := uint32(len(a.words) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		word := a.words[i].Load()
		if word == 0 {
			return nil
		}
		if uint32(word>>32) == hash {
			if e := a.entry(uint32(word) - 1); e.key == key {
				return e
			}
		}
	}
}

func (a *array[K, V]) entry(n uint32) *entry[K, V] {
	return &a.chunks[n>>chunkBits][n&(1<<chunkBits-1)]
}

// Put sets the value of a key. The value must not be nil. The hash must be the same
// for the same key, and evenly spread.
func (t *Table[K, V]) Put(hash uint32, key K, value *V) {
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.now.Load()
	if a != nil {
		if e := a.find(hash, key); e != nil {
			if e.value.Swap(value) == nil {
				a.dead--
			}
			return
		}
	}
	if a == nil || (a.used+1)*4 > len(a.words)*3 {
		a = a.grown()
		a.add(hash, key, value)
		t.now.Store(a)
		return
	}
	a.add(hash, key, value)
}

// Delete forgets a key. Its memory is used again when the table next grows.
func (t *Table[K, V]) Delete(hash uint32, key K) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.now.Load(); a != nil {
		if e := a.find(hash, key); e != nil && e.value.Swap(nil) != nil {
			a.dead++
		}
	}
}

// Len returns the number of keys.
func (t *Table[K, V]) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	if a := t.now.Load(); a != nil {
		return a.used - a.dead
	}
	return 0
}

// All calls yield with every value, until it returns false. It holds no lock, and may
// leave out values that are put meanwhile.
func (t *Table[K, V]) All(yield func(*V) bool) {
	a := t.now.Load()
	if a == nil {
		return
	}
	for i := range a.words {
		word := a.words[i].Load()
		if word == 0 {
			continue
		}
		if v := a.entry(uint32(word) - 1).value.Load(); v != nil && !yield(v) {
			return
		}
	}
}

// add appends an entry; there must be room. The word is stored last, so that
// readers find the entry whole or not at all.
func (a *array[K, V]) add(hash uint32, key K, value *V) {
	n := uint32(a.used)
	if a.chunks[n>>chunkBits] == nil {
		a.chunks[n>>chunkBits] = new(chunk[K, V])
	}
	e := a.entry(n)
	e.key = key
	e.value.Store(value)
	a.used++
	a.place(uint64(hash)<<32 | uint64(n+1))
}

func (a *array[K, V]) place(word uint64) {
	mask := uint32(len(a.words) - 1)
	i := uint32(word>>32) & mask
	for a.words[i].Load() != 0 {
		i = (i + 1) & mask
	}
	a.words[i].Store(word)
}

// grown returns an array with room for at least one more entry. It shares the entries
// of a if none was deleted, and otherwise copies those that are left.
func (a *array[K, V]) grown() *array[K, V] {
	if a == nil {
		return sized[K, V](16)
	}
	size := len(a.words)
	if (a.used-a.dead)*2 >= size {
		size *= 2
	}
	b := sized[K, V](size)
	if a.dead == 0 {
		copy(b.chunks, a.chunks)
		b.used = a.used
	}
	for i := range a.words {
		word := a.words[i].Load()
		if word == 0 {
			continue
		}
		if a.dead == 0 {
			b.place(word)
		} else if e := a.entry(uint32(word) - 1); e.value.Load() != nil {
			b.add(uint32(word>>32), e.key, e.value.Load())
		}
	}
	return b
}

func sized[K comparable, V any](words int) *array[K, V] {
	return &array[K, V]{
		words:  make([]atomic.Uint64, words),
		chunks: make([]*chunk[K, V], (words*3/4)>>chunkBits+1),
	}
}
