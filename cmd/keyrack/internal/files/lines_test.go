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

// TestObjectsOverLines: an object that an editor laid out is one line, and nothing that only
// begins like one swallows what comes after it.
func TestObjectsOverLines(t *testing.T) {
	const laidOut = "{\n  \"Action\": \"}{\",\r\n\n  \"Data\": {\n    \"Id\": 1\n  }\n}"
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"one":             {laidOut, []string{"1:" + laidOut}},
		"several":         {laidOut + "\n\n" + laidOut + "\n{}\n" + laidOut, []string{"1:" + laidOut, "9:" + laidOut, "16:{}", "17:" + laidOut}},
		"twice a name":    {"{\"a\":1,\n\"a\":2}", []string{"1:{\"a\":1,\n\"a\":2}"}},
		"cut in a string": {"{\"cut\n{}\n", []string{"1:{\"cut", "2:{}"}},
		"cut in a name":   {"{\"a\":1,\n{}\n[1]", []string{"1:{\"a\":1,", "2:{}", "3:[1]"}},
		"cut at a value":  {"{\"a\":\n{}\n{}\n", []string{"1:{\"a\":", "2:{}", "3:{}"}},
		"cut at the end":  {"{\"a\":\n{}", []string{"1:{\"a\":", "2:{}"}},
		"two in a line":   {"{\n} {\n}\nx", []string{"1:{", "2:} {", "3:}", "4:x"}},
		"no JSON":         {"{{{\nx", []string{"1:{{{", "2:x"}},
	} {
		var failed error
		var got []string
		for n, line := range Lines(strings.NewReader(test.text), &failed) {
			got = append(got, fmt.Sprintf("%d:%s", n, line))
		}
		if failed != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, %v", name, got, failed)
		}
	}
}
