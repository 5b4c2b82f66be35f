package keyrack_test

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestContentsOfDecisions holds the list of contents of docs/decisions.md to its
// headings, and the links to where GitHub puts them.
func TestContentsOfDecisions(t *testing.T) {
	doc, err := os.ReadFile("docs/decisions.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	for _, heading := range regexp.MustCompile(`(?m)^##(#?) (.+)$`).FindAllStringSubmatch(string(doc), -1) {
		indent := strings.Repeat("  ", len(heading[1]))
		fmt.Fprintf(&want, "%s- [%s](#%s)\n", indent, heading[2], anchor(heading[2]))
	}
	got := regexp.MustCompile(`(?m)^ *- \[.+\]\(#.+\)\n`).FindAllString(string(doc), -1)
	if diff := cmp.Diff(want.String(), strings.Join(got, "")); diff != "" {
		t.Errorf("the list of contents is not that of the headings (-headings +list):\n%s", diff)
	}
}

// anchor returns the fragment under which GitHub shows a heading.
func anchor(heading string) string {
	return strings.ReplaceAll(regexp.MustCompile(`[^\w\- ]`).ReplaceAllString(strings.ToLower(heading), ""), " ", "-")
}
