package files

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestLines(t *testing.T) {
	read := func(text string) (got []string, failed error) {
		for n, line := range Lines(strings.NewReader(text), &failed) {
			got = append(got, fmt.Sprintf("%d:%s", n, line))
		}
		return got, failed
	}
	got, err := read("one\r\n\n  \n two \nthree")
	if want := []string{"1:one", "4:two", "5:three"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	got, err = read("one\n" + strings.Repeat("x", lineLimit+1) + "\nthree\n")
	if !slices.Equal(got, []string{"1:one"}) || err == nil || !strings.Contains(err.Error(), "line 2 is longer than") {
		t.Errorf("%q, %v", got, err)
	}
	broken := errors.New("made-up")
	for range Lines(iotest.ErrReader(broken), &err) {
		t.Error("a line of nothing")
	}
	if !errors.Is(err, broken) {
		t.Error(err)
	}
}
