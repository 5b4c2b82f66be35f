package testkit

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Update is the flag -update, which rewrites golden files.
var Update = flag.Bool("update", false, "rewrite the golden files; read the difference before you commit it")

// Golden fails unless a file of the folder testdata has this content. With -update it
// writes the file.
func Golden(t testing.TB, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if *Update {
		if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if string(want) != got {
		t.Errorf("%s differs (-file +now); -update rewrites it:\n%s", file, Difference(string(want), got))
	}
}

// Difference shows where two texts differ: the lines from the first to the last that is
// not the same, with a few around them. It is empty if the texts are equal.
func Difference(want, got string) string {
	if want == got {
		return ""
	}
	a, b := strings.SplitAfter(want, "\n"), strings.SplitAfter(got, "\n")
	first := 0
	for first < min(len(a), len(b)) && a[first] == b[first] {
		first++
	}
	lastA, lastB := len(a), len(b)
	for lastA > first && lastB > first && a[lastA-1] == b[lastB-1] {
		lastA, lastB = lastA-1, lastB-1
	}
	const around, most = 3, 100
	var out strings.Builder
	show := func(mark string, lines []string) {
		for i, line := range lines {
			if i == most {
				fmt.Fprintf(&out, "%s… %d more lines\n", mark, len(lines)-most)
				break
			}
			if end := strings.TrimSuffix(line, "\n"); end != strings.TrimRight(end, " \t\r") {
				line = fmt.Sprintf("%q\n", end) // else nobody would see it
			}
			out.WriteString(mark + strings.TrimSuffix(line, "\n") + "\n")
		}
	}
	fmt.Fprintf(&out, "line %d:\n", first+1)
	show("  ", a[max(0, first-around):first])
	show("- ", a[first:lastA])
	show("+ ", b[first:lastB])
	show("  ", a[lastA:min(len(a), lastA+around)])
	return out.String()
}
