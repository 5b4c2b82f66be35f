package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestHelp keeps the help of every verb where a person can review it. Every verb that does
// something has an example, and no line is too long for a terminal.
func TestHelp(t *testing.T) {
	var all strings.Builder
	help := func(path string) {
		code, stdout, stderr := once(t, nil, append([]string{"help"}, strings.Fields(path)...)...)
		if code != exitOK || stderr != "" {
			t.Errorf("help %s: exit code %d, stderr:\n%s", path, code, stderr)
		}
		all.WriteString(strings.TrimSpace("$ keyrack help "+path) + "\n" + stdout + "\n")
	}
	help("")
	for _, g := range verbGroups(func(string) string { return "" }, new(layers)) {
		for _, verb := range g.verbs {
			each(verb, func(v *cobra.Command) {
				help(v.CommandPath())
				if v.Runnable() && v.Example == "" {
					t.Errorf("%s has no example", v.CommandPath())
				}
			})
		}
	}
	testkit.Golden(t, "help.txt", all.String())
	for line := range strings.Lines(all.String()) {
		if len(line) > 101 {
			t.Errorf("too long for a terminal: %s", line)
		}
	}
}

func each(verb *cobra.Command, do func(*cobra.Command)) {
	do(verb)
	for _, sub := range verb.Commands() {
		each(sub, do)
	}
}

// TestGroups: a verb has the flag that the title of its group names.
func TestGroups(t *testing.T) {
	for _, g := range verbGroups(func(string) string { return "" }, new(layers)) {
		for _, verb := range g.verbs {
			for flag, mark := range map[string]string{"api": "--api", "store": "--store", "to": "--to"} {
				sub := verb
				if verb.HasSubCommands() {
					sub = verb.Commands()[0]
				}
				if strings.Contains(g.title, mark) && sub.Flags().Lookup(flag) == nil && verb.Name() != "graph" {
					t.Errorf("%s has no %s", verb.Name(), mark)
				}
			}
		}
	}
}
