package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/testkit"
)

// TestDeskHelp keeps the desk's help where a person can review it.
func TestDeskHelp(t *testing.T) {
	var all strings.Builder
	for _, verb := range otherVerbs(func(string) string { return "" }, new(layers)) {
		each(verb, func(v *cobra.Command) {
			path := strings.TrimPrefix(v.CommandPath(), "keyrack ")
			code, stdout, stderr := once(t, nil, append([]string{"help"}, strings.Fields(path)...)...)
			if code != exitOK || stderr != "" {
				t.Errorf("help %s: exit code %d, stderr:\n%s", path, code, stderr)
			}
			all.WriteString("$ keyrack help " + path + "\n" + stdout + "\n")
			if v.Runnable() && v.Example == "" {
				t.Errorf("%s has no example", path)
			}
		})
	}
	testkit.Golden(t, "desk_help.txt", all.String())
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

// TestGroups: every verb that works on something is where the help says on what.
func TestGroups(t *testing.T) {
	root := newRoot(func(string) string { return "" })
	for _, g := range groups {
		for _, name := range g.verbs {
			verb, _, err := root.Find([]string{name})
			if err != nil || verb == root {
				t.Errorf("there is no %s", name)
				continue
			}
			for flag, mark := range map[string]string{"api": "--api", "store": "--store", "to": "--to"} {
				sub := verb
				if verb.HasSubCommands() {
					sub = verb.Commands()[0]
				}
				if strings.Contains(g.title, mark) && sub.Flags().Lookup(flag) == nil && name != "graph" {
					t.Errorf("%s has no %s", name, mark)
				}
			}
		}
	}
}
