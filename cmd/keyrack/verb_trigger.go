package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// The integration and the enterprise of Mews's documentation, which trigger is about by
// default.
const (
	sampleIntegration = "9e5e84e9-974d-4f16-9662-ab2200f27cb1"
	sampleEnterprise  = "8865aa96-f62d-4f9b-a912-ab2100f60f42"
)

// sampleCreated is when it was created. A second created says the same, as a repetition of
// Mews does: another time would contradict the first.
var sampleCreated = time.Date(2019, 12, 13, 14, 42, 52, 0, time.UTC)

// webhook is one webhook to send.
type webhook struct {
	integration string
	enterprise  string
	name        string
	disabled    bool
	tokenStdin  bool

	target target
	output output
}

func newTrigger(env environment) *cobra.Command {
	var o webhook
	trigger := &cobra.Command{
		Use:   "trigger EVENT [flags]",
		Short: "Send one webhook as Mews would",
		Long: `Trigger sends one webhook to a receiver as Mews would, and prints the status of the
answer and how long it took. The receiver need not be Keyrack.

The events are those of Mews, in upper or lower case, with or without "Integration":

  created          a new integration, with a token
  enabled          disabled
  canceled         reinstated
  deleted
  ApiKeyCreated    a new token replaces the former one

They are about the integration of Mews's documentation unless --integration names
another; "--integration new" invents one and prints its id. The token of created and
ApiKeyCreated is invented and never shown; with --token-stdin it is read from stdin.

` + targetHelp + `

Exit codes: 0 if the answer is 2xx, otherwise 1.`,
		Example: `  keyrack trigger created
  keyrack trigger disabled
  keyrack trigger deleted --to https://hotel.example/webhooks/mews

  # Use a token of your own, so that you can ask about it.
  printf %s "$TOKEN" | keyrack trigger ApiKeyCreated --token-stdin
  printf %s "$TOKEN" | keyrack check`,
		Args:              exactly("EVENT"),
		ValidArgsFunction: completeEvents,
		RunE: func(verb *cobra.Command, args []string) error {
			if err := o.output.open(verb, env); err != nil {
				return err
			}
			if err := o.target.check(env, verb.ErrOrStderr()); err != nil {
				return err
			}
			return o.trigger(verb.Context(), args[0], verb.InOrStdin(), verb.ErrOrStderr())
		},
	}
	flags := trigger.Flags()
	flags.SortFlags = false
	o.target.flags(flags)
	flags.StringVar(&o.integration, "integration", sampleIntegration, "integration `id`, or new")
	flags.StringVar(&o.enterprise, "enterprise", sampleEnterprise, "`id` of its enterprise")
	flags.StringVar(&o.name, "name", "Keyrack desk", "`name` of the integration")
	flags.BoolVar(&o.disabled, "disabled", false, "created: the integration starts disabled")
	flags.BoolVar(&o.tokenStdin, "token-stdin", false, "created, ApiKeyCreated: read the token from stdin")
	o.output.flags(flags)
	return trigger
}

// trigger sends the webhook.
func (o *webhook) trigger(ctx context.Context, name string, stdin io.Reader, stderr io.Writer) error {
	event, err := o.event(name, stdin)
	if err != nil {
		return err
	}
	body, err := events.Encode(event)
	if err != nil {
		return usage.Errorf("Mews would not send such a webhook: %w", err) // it quotes nothing
	}
	sender, close := o.target.sender()
	defer close()
	answer := sender.Post(ctx, body)
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err := o.tell(event, answer); err != nil {
		return err
	}
	if !succeeded(answer) {
		if hint := o.target.hint(answer); hint != "" {
			return fmt.Errorf("not delivered; %s", hint)
		}
		return errors.New("not delivered; Mews would send the webhook again")
	}
	if !answer.Delivered() {
		fmt.Fprintln(stderr, "keyrack: warning: Mews documents only 200, 202 and 204 as success")
	}
	return nil
}

// event makes the event with a name.
func (o *webhook) event(name string, stdin io.Reader) (events.Event, error) {
	action := parseEvent(name)
	takesToken := action == lifecycle.IntegrationCreated || action == lifecycle.IntegrationApiKeyCreated
	switch {
	case action == lifecycle.ActionUnknown:
		return events.Event{}, usage.Errorf("unknown event %s; use one of %s", terminal.Quote(name), strings.Join(eventNames(), ", "))
	case o.tokenStdin && !takesToken:
		return events.Event{}, usage.Errorf("%v holds no token; remove --token-stdin", action)
	case o.disabled && action != lifecycle.IntegrationCreated:
		return events.Event{}, usage.Errorf("--disabled is only for created; to disable an integration later, trigger disabled")
	}
	if o.integration == "new" {
		o.integration = newGUID()
	}
	event := events.Event{
		Action: action, Name: action.String(),
		Integration: lifecycle.Named{ID: o.integration, Name: o.name},
	}
	var token lifecycle.Token
	if takesToken {
		token = newAccessToken(o.integration)
	}
	if o.tokenStdin {
		var err error
		if token, err = readToken(stdin); err != nil {
			return events.Event{}, err
		}
	}
	switch action {
	case lifecycle.IntegrationCreated:
		event.Enterprise = lifecycle.Named{ID: o.enterprise, Name: "Sample hotel"}
		event.AccessToken, event.CreatedUtc, event.IsEnabled = token, sampleCreated, lifecycle.FlagOf(!o.disabled)
	case lifecycle.IntegrationApiKeyCreated:
		event.ApiKey = token
	case lifecycle.IntegrationDeleted:
		event.DeletedUtc = time.Now().UTC().Truncate(24 * time.Hour)
	}
	return event, nil
}

// tell prints the answer.
func (o *webhook) tell(event events.Event, a mewstest.Reply) error {
	if o.output.text() {
		return o.output.printf("%v of %s: %v in %v\n", event.Action, terminal.Plain(event.Integration.ID), a, tookOf(a.Took))
	}
	return o.output.value(struct {
		Action      lifecycle.Action `json:"action"`
		Integration string           `json:"integration"`
		Delivered   bool             `json:"delivered"`
		Status      int              `json:"status"` // 0: there was no answer
		Trouble     string           `json:"trouble,omitempty"`
		Took        float64          `json:"took_ms"`
	}{event.Action, event.Integration.ID, succeeded(a), a.Status, a.Trouble, milliseconds(a.Took)})
}

// parseEvent returns the action of a name that a person typed.
func parseEvent(name string) lifecycle.Action {
	name = strings.NewReplacer("-", "", "_", "").Replace(name)
	for _, action := range lifecycle.Actions() {
		full := action.String()
		if strings.EqualFold(name, full) || strings.EqualFold(name, strings.TrimPrefix(full, "Integration")) {
			return action
		}
	}
	return lifecycle.ActionUnknown
}

// eventNames returns the short names that trigger takes.
func eventNames() []string {
	var names []string
	for _, action := range lifecycle.Actions() {
		short := strings.TrimPrefix(action.String(), "Integration")
		if action != lifecycle.IntegrationApiKeyCreated {
			short = strings.ToLower(short)
		}
		names = append(names, short)
	}
	return names
}

func completeEvents(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return eventNames(), cobra.ShellCompDirectiveNoFileComp
}

// newAccessToken invents a token that looks like one of Mews: 32 hexadecimal digits, which
// sometimes spell the id of the integration, a dash, and 31 more.
func newAccessToken(integration string) lifecycle.Token {
	first := strings.ToUpper(strings.ReplaceAll(integration, "-", ""))
	if len(first) != 32 || strings.Trim(first, "0123456789ABCDEF") != "" {
		first = strings.ToUpper(strings.ReplaceAll(newGUID(), "-", ""))
	}
	var b [16]byte
	_, _ = rand.Read(b[:]) // it never fails
	return lifecycle.NewToken(first + "-" + fmt.Sprintf("%X", b)[:31])
}

// newGUID invents an identifier as Mews writes them.
func newGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// milliseconds returns a duration for programs.
func milliseconds(d time.Duration) float64 { return float64(d.Round(time.Microsecond)) / 1e6 }

// tookOf rounds a duration for people.
func tookOf(d time.Duration) time.Duration {
	if d < 10*time.Millisecond {
		return d.Round(10 * time.Microsecond)
	}
	return d.Round(time.Millisecond)
}
