package main

import "github.com/spf13/cobra"

// groups are the verbs by what they work on, as the help lists them.
var groups = []struct {
	title string
	verbs []string
}{
	{"Receive and answer:", []string{"serve", "apikey", "demo"}},
	{"Ask a running receiver (--api):", []string{"check", "list", "show", "explain", "history", "tail"}},
	{"Act on a running receiver (--api), or on a store at rest (--store):", []string{"adopt", "probe", "subscriptions"}},
	{"Work on a store (--store):", []string{"export", "import", "backup", "doctor"}},
	{"The developer's desk (--to a receiver of any make):", []string{"trigger", "replay", "simulate", "graph"}},
}

// group sorts the verbs. What belongs to no group comes last.
func group(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		for _, name := range g.verbs {
			for _, verb := range root.Commands() {
				if verb.Name() == name {
					verb.GroupID = g.title
				}
			}
		}
	}
}
