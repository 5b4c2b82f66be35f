package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	var tb table
	o := output{colour: true}
	tb.row("A", "STATUS", "")
	tb.row("long name", o.status("valid"), "x")
	tb.row("é\u0301", o.status("invalid"), "y")
	tb.row("", o.status("other"))
	var b strings.Builder
	if err := tb.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "A          STATUS\n" +
		"long name  \x1b[32mvalid\x1b[0m    x\n" +
		"é\u0301          \x1b[31minvalid\x1b[0m  y\n" +
		"           other\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if got := (&output{}).status("valid"); got != "valid" {
		t.Errorf("a colour where there is none: %q", got)
	}
}
