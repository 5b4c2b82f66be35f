package main

import (
	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// deskVerbs are the verbs of the developer's desk, and those that every command has.
func deskVerbs(env environment, l *layers) []*cobra.Command {
	return []*cobra.Command{
		newTrigger(env), newReplay(env), newSimulate(env), newGraph(env),
		newCheck(env), newList(env), newShow(env), newExplain(env), newHistory(env), newTail(env),
		newAdopt(env), newProbe(env), newSubscriptions(env),
		newConfig(l), newCompletion(), newMan(), newExitCodes(),
	}
}

// complete has shells complete the values that are known beforehand.
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
