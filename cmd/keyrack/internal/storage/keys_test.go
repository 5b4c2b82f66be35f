package storage

import (
	"path/filepath"
	"testing"
)

// TestMakeKey: of two who make a key at the same time, both take the same one.
func TestMakeKey(t *testing.T) {
	file := filepath.Join(t.TempDir(), "key")
	rings := make(chan KeyRing, 8)
	for range cap(rings) {
		go func() {
			ring, err := makeKey(file, func(string) {})
			if err != nil {
				t.Error(err)
			}
			rings <- ring
		}()
	}
	made, first := 0, KeyRing{}
	for range cap(rings) {
		ring := <-rings
		if ring.Made {
			made++
		}
		if first.Ring == nil {
			first = ring
		}
		sealed, err := first.Seal([]byte("plain"), "owner")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ring.Open(sealed, "owner"); err != nil {
			t.Error(err)
		}
	}
	if left, _ := filepath.Glob(file + "*"); made != 1 || len(left) != 1 {
		t.Errorf("%d were made; there is %v", made, left)
	}
}
