package testkit_test

import (
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

func TestDifference(t *testing.T) {
	for _, c := range []struct{ want, got, shown string }{
		{"a\nb\n", "a\nb\n", ""},
		{"1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", "line 5:\n  2\n  3\n  4\n- 5\n+ five\n  6\n  7\n  8\n"},
		{"a\n", "a\nb\n", "line 2:\n  a\n+ b\n  \n"},
		{"a\nb\n", "b\n", "line 1:\n- a\n  b\n  \n"},
		{"a", "a\n", "line 1:\n- a\n+ a\n+ \n"},
		{"a\n", "a \n", "line 1:\n- a\n+ \"a \"\n  \n"},
		{"", "x", "line 1:\n- \n+ x\n"},
	} {
		if got := testkit.Difference(c.want, c.got); got != c.shown {
			t.Errorf("%q and %q:\n%s\nwant:\n%s", c.want, c.got, got, c.shown)
		}
	}
	long := strings.Repeat("x\n", 1000)
	if got := testkit.Difference("", long); strings.Count(got, "\n") > 110 || !strings.Contains(got, "more lines") {
		t.Errorf("a thousand lines are shown as\n%s", got)
	}
}

// failures is a test that only notes whether it failed.
type failures struct {
	testing.TB
	failed bool
}

func (f *failures) Helper()               {}
func (f *failures) Errorf(string, ...any) { f.failed = true }
func (f *failures) Fatalf(string, ...any) { f.failed = true }

// ending ends its goroutine with the first failure.
type ending struct{ *failures }

func (e *ending) Fatal(...any) { e.failed = true; runtime.Goexit() }

// TestGolden compares with a file, fails without one, and writes one when it is told to.
func TestGolden(t *testing.T) {
	t.Chdir(t.TempDir())
	fails := func(got string) bool {
		f := failures{TB: t}
		testkit.Golden(&f, "folder/file.txt", got)
		return f.failed
	}
	before := *testkit.Update
	defer func() { *testkit.Update = before }()
	*testkit.Update = false
	if !fails("one\n") {
		t.Error("a file that is missing is as good as one that is there")
	}
	*testkit.Update = true
	if fails("one\n") {
		t.Error("it is not written")
	}
	if text, err := os.ReadFile("testdata/folder/file.txt"); err != nil || string(text) != "one\n" {
		t.Errorf("written: %q, %v", text, err)
	}
	*testkit.Update = false
	if fails("one\n") || !fails("two\n") {
		t.Error("it is not compared")
	}
}
