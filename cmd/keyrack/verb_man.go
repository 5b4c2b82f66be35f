package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

func newMan() *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "Write the manual pages",
		Long: `Man writes a manual page for keyrack and for each of its verbs into a directory,
which it makes if it is not there. SOURCE_DATE_EPOCH, if set, is the pages' date.`,
		Example: `  keyrack man man1 && man ./man1/keyrack-serve.1`,
		Args:    exactly("DIR"),
		RunE: func(verb *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := newRoot(func(string) string { return "" })
			inMarkdown(root)
			return doc.GenManTree(root, &doc.GenManHeader{
				Section: "1", Source: "keyrack " + version(), Manual: "Keyrack",
			}, args[0])
		},
	}
}

// inMarkdown makes texts ready for the manual, which is made of Markdown: what is
// indented stays as it is.
func inMarkdown(verb *cobra.Command) {
	verb.DisableAutoGenTag = true
	var b strings.Builder
	indented := false
	for line := range strings.Lines(verb.Long) {
		is := strings.HasPrefix(line, "  ")
		if is != indented && strings.TrimSpace(line) != "" {
			b.WriteString("\n")
			indented = is
		}
		if is {
			line = "    " + line
		}
		b.WriteString(line)
	}
	verb.Long = b.String()
	for _, sub := range verb.Commands() {
		inMarkdown(sub)
	}
}
