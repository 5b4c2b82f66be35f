package demo

import (
	"embed"
	"fmt"
	"path"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

// bodies are webhooks as Mews sends them; created.json is the one in Mews's
// documentation, byte for byte.
//
//go:embed bodies/*.json
var bodies embed.FS

// Body returns the body of a file of bodies, such as created.json.
func Body(file string) ([]byte, error) { return bodies.ReadFile(path.Join("bodies", file)) }

// step is one delivery, or a question without one, and what must come of it.
type step struct {
	say   string // what happens, printed before it
	pause bool   // wait beyond the horizon first
	body  string // the file of the body; empty for a question alone
	token int    // the token that is asked about, 1 for the first that came
	want  outcome
}

// outcome is what came of a step: of the delivery, and of the question after it.
type outcome struct {
	delivery lifecycle.Outcome // zero if there was none
	state    lifecycle.State
	status   lifecycle.Status
	reason   lifecycle.Reason
}

func (o outcome) String() string {
	return fmt.Sprintf("%v, %v, %v, %v", o.delivery, o.state, o.status, o.reason)
}

// steps are a hotel's life: all seven actions, one repeated, one early, two late.
var steps = []step{
	{
		say:  "The hotel connects: the webhook of Mews's own documentation.",
		body: "created.json", token: 1,
		want: outcome{lifecycle.Applied, lifecycle.CreatedEnabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say:  "Mews sends it again, byte for byte.",
		body: "created.json", token: 1,
		want: outcome{lifecycle.Duplicate, lifecycle.CreatedEnabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say:  "The hotel disables the integration.",
		body: "disabled.json", token: 1,
		want: outcome{lifecycle.Applied, lifecycle.Disabled, lifecycle.Invalid, lifecycle.ReasonDisabled},
	},
	{
		say:   "Later than the horizon, the hotel enables it.",
		pause: true,
		body:  "enabled.json", token: 1,
		want: outcome{lifecycle.Applied, lifecycle.Enabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say:  "The hotel disables and enables it again. The second webhook arrives first, and brings nothing new so far.",
		body: "enabled.json", token: 1,
		want: outcome{lifecycle.Duplicate, lifecycle.Enabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say: "The first one follows. Or was the other a repetition, and the hotel has disabled it just now? Nobody\n" +
			"can know, so the answer is unknown. A receiver that believes the last webhook has just lost a hotel.",
		body: "disabled.json", token: 1,
		want: outcome{lifecycle.Reconciled, lifecycle.Enabled, lifecycle.Unknown, lifecycle.ReasonSuspectEnabled},
	},
	{
		say:   "Later than the horizon, one more arrives. Everything older has arrived by now, so it settles the matter.",
		pause: true,
		body:  "enabled.json", token: 1,
		want: outcome{lifecycle.Duplicate, lifecycle.Enabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say:  "The hotel cancels the integration.",
		body: "canceled.json", token: 1,
		want: outcome{lifecycle.Applied, lifecycle.CanceledEnabled, lifecycle.Invalid, lifecycle.ReasonCanceled},
	},
	{
		say: "Later than the horizon, the hotel reinstates it. Mews does not say whether an integration that was\n" +
			"enabled before still is, so the answer is unknown again.",
		pause: true,
		body:  "reinstated.json", token: 1,
		want: outcome{lifecycle.Applied, lifecycle.ReinstatedEnabled, lifecycle.Unknown, lifecycle.ReasonSuspectEnabled},
	},
	{
		say:   "Later than the horizon, the hotel enables it, which leaves no doubt.",
		pause: true,
		body:  "enabled.json", token: 1,
		want: outcome{lifecycle.Duplicate, lifecycle.ReinstatedEnabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say:  "The hotel regenerates the token.",
		body: "api_key_created.json", token: 2,
		want: outcome{lifecycle.Applied, lifecycle.ReinstatedEnabled, lifecycle.Valid, lifecycle.ReasonLive},
	},
	{
		say:   "And the old one?",
		token: 1,
		want:  outcome{0, lifecycle.ReinstatedEnabled, lifecycle.Invalid, lifecycle.ReasonSuperseded},
	},
	{
		say:  "The hotel deletes the integration.",
		body: "deleted.json", token: 2,
		want: outcome{lifecycle.Applied, lifecycle.Deleted, lifecycle.Invalid, lifecycle.ReasonDeleted},
	},
	{
		say:  "A webhook from before the deletion arrives late. Nothing comes back to life.",
		body: "enabled.json", token: 2,
		want: outcome{lifecycle.Stale, lifecycle.Deleted, lifecycle.Invalid, lifecycle.ReasonDeleted},
	},
	{
		say:  "So does one more copy of the very first one, with the old token.",
		body: "created.json", token: 1,
		want: outcome{lifecycle.Stale, lifecycle.Deleted, lifecycle.Invalid, lifecycle.ReasonDeleted},
	},
}
