package main

import (
	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// verbGroup is a part of the help: what the verbs in it work on, and the verbs.
type verbGroup struct {
	title string
	verbs []*cobra.Command
}

// verbGroups are all verbs, in the order of the help. A new verb is a line here. The help
// lists the last group, which has no title, without one.
func verbGroups(env environment, config *layers) []verbGroup {
	return []verbGroup{
		{"Receive and answer:", []*cobra.Command{
			newServe(env, config), newHealth(env), newAPIKeyVerb(), newDemo(),
		}},
		{"Ask a running sidecar (--api):", []*cobra.Command{
			newCheck(env), newList(env), newShow(env), newExplain(env), newHistory(env), newTail(env),
		}},
		{"Act on a running sidecar (--api), or on a store at rest (--store):", []*cobra.Command{
			newConnect(env), newImport(env), newProbe(env), newReport(env), newSettle(env), newLabel(env), newName(env), newSubscriptions(env),
		}},
		{"Work on a store (--store):", []*cobra.Command{
			newExport(env), newRestore(env), newBackup(env), newDoctor(env), newMigrate(env),
			newReseal(env), newForget(env), newRetention(env), newWhatIf(env), newLetters(env),
		}},
		{"Develop and test (--to any receiver):", []*cobra.Command{
			newTrigger(env), newReplay(env), newSimulate(env), newMews(env), newGraph(env),
		}},
		{"", []*cobra.Command{
			newConfig(config), newCompletion(), newMan(), newVersion(env), newExitCodes(),
		}},
	}
}

// addVerbs adds all verbs to the root, in their groups.
func addVerbs(root *cobra.Command, groups []verbGroup) {
	for _, g := range groups {
		if g.title != "" {
			root.AddGroup(&cobra.Group{ID: g.title, Title: g.title})
		}
		for _, verb := range g.verbs {
			verb.GroupID = g.title
			complete(verb)
			root.AddCommand(verb)
		}
	}
}

// complete has shells complete values that are known beforehand.
func complete(verb *cobra.Command) {
	if verb.Name() == "graph" {
		completeValues(verb, "format", graphMermaid, graphDOT)
	} else {
		completeValues(verb, "format", formatText, formatJSON, formatJSONL)
	}
	completeValues(verb, "log-format", formatText, formatJSON)
	completeValues(verb, "log-level", "debug", "info", "warn", "error")
	completeValues(verb, "status", lifecycle.Valid.String(), lifecycle.Invalid.String(), lifecycle.Unknown.String())
	completeValues(verb, "state", namesOf(lifecycle.States())...)
	completeValues(verb, "kind", namesOf(api.ChangeKinds)...)
	for _, sub := range verb.Commands() {
		complete(sub)
	}
}
