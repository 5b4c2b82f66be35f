package main

import (
	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// groups are the verbs by what they work on, in the order of the help.
var groups = []struct {
	title string
	verbs []string
}{
	{"Receive and answer:", []string{"serve", "apikey", "demo"}},
	{"Ask a running sidecar (--api):", []string{"check", "list", "show", "explain", "history", "tail"}},
	{"Act on a running sidecar (--api), or on a store at rest (--store):", []string{"import", "probe", "subscriptions"}},
	{"Work on a store (--store):", []string{"export", "restore", "backup", "doctor"}},
	{"Develop and test (--to a receiver of any make):", []string{"trigger", "replay", "simulate", "graph"}},
}

// group assigns the verbs to their groups. The help lists verbs without a group last.
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

// storeVerbs are the verbs that work on a store.
func storeVerbs(env environment) []*cobra.Command {
	return []*cobra.Command{newExport(env), newRestore(env), newBackup(env), newDoctor(env)}
}

// otherVerbs are all verbs but those of serve and of stores.
func otherVerbs(env environment, l *layers) []*cobra.Command {
	return []*cobra.Command{
		newTrigger(env), newReplay(env), newSimulate(env), newGraph(env),
		newCheck(env), newList(env), newShow(env), newExplain(env), newHistory(env), newTail(env),
		newImport(env), newProbe(env), newSubscriptions(env),
		newConfig(l), newCompletion(), newMan(), newExitCodes(),
	}
}

// complete has shells complete values that are known beforehand.
func complete(verb *cobra.Command) {
	if verb.Name() == "graph" {
		completeValues(verb, "format", graphMermaid, graphDOT)
	} else {
		completeValues(verb, "format", formatText, formatJSON, formatJSONL)
	}
	completeValues(verb, "status", lifecycle.Valid.String(), lifecycle.Invalid.String(), lifecycle.Unknown.String())
	completeValues(verb, "state", namesOf(lifecycle.States())...)
	completeValues(verb, "kind", namesOf(api.ChangeKinds)...)
	for _, sub := range verb.Commands() {
		complete(sub)
	}
}
