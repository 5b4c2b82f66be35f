package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

func newCheck(env environment) *cobra.Command {
	var c sidecar
	var o output
	var quiet bool
	check := &cobra.Command{
		Use:   "check [TOKEN] [flags]",
		Short: "Check whether a token is valid",
		Long: `Check asks whether an access token is valid, and prints why. It reads the token from
stdin. As an argument, the token would be in the history of the shell, and other users
of this machine could read it: that works, with a warning.

` + sidecarHelp + `

Exit codes: 0 valid, 3 not valid, 4 unknown, 1 if the sidecar did not answer. Use the
token only if the exit code is 0.`,
		Example: `  printf %s "$TOKEN" | keyrack check
  keyrack check < token.txt
  if printf %s "$TOKEN" | keyrack check --quiet; then call_mews; fi`,
		Args: atMostOne("TOKEN"),
		RunE: func(verb *cobra.Command, args []string) error {
			if err := o.open(verb, env); err != nil {
				return err
			}
			token, err := tokenFrom(args, verb.InOrStdin(), verb.ErrOrStderr())
			if err != nil {
				return err
			}
			if err := c.open(env, verb.ErrOrStderr()); err != nil {
				return err
			}
			defer c.Close()
			return check(verb.Context(), &c, &o, token, quiet)
		},
	}
	flags := check.Flags()
	flags.SortFlags = false
	flags.BoolVarP(&quiet, "quiet", "q", false, "print nothing; use the exit code")
	o.flags(flags)
	c.flags(flags)
	return check
}

func check(ctx context.Context, c *sidecar, o *output, token lifecycle.Token, quiet bool) error {
	i, raw, err := c.Introspect(ctx, token)
	if err != nil {
		return err
	}
	if !quiet {
		if err := tell(o, i, raw); err != nil {
			return err
		}
	}
	// The sidecar may be set to assume Valid; Active says so.
	if i.Active != (i.Status == lifecycle.Valid) {
		return errors.New("the sidecar contradicts itself about whether the token is active; check that it is a Keyrack of the same version")
	}
	return exitOf(i.Status)
}

// postForVerdict sends what is said, and prints the verdict that the API answers with.
func postForVerdict[T interface{ Introspected() api.Introspection }](ctx context.Context, b *backend, o *output, said any, path ...string) (answer T, err error) {
	raw, err := b.Post(ctx, said, path...)
	if err != nil {
		return answer, err
	}
	if answer, err = client.Decode[T](raw); err != nil {
		return answer, err
	}
	return answer, tell(o, answer.Introspected(), raw)
}

// tell prints a verdict for people, or the answer as it came.
func tell(o *output, i api.Introspection, raw json.RawMessage) error {
	if o.text() {
		return tellIntrospection(o, i)
	}
	return o.raw(raw)
}

// tellIntrospection prints a verdict for people.
func tellIntrospection(o *output, i api.Introspection) error {
	head := fmt.Sprintf("%s: %v", o.status(i.Status.String()), i.Reason)
	switch {
	case i.Assumed:
		head += ", assumed"
	case i.Status == lifecycle.Unknown:
		head += fmt.Sprintf(" (probably %v)", i.Guess)
	}
	if i.Trouble {
		head += ", as before Mews refused whatever it was asked"
	}
	if err := o.printf("%s\n", head); err != nil {
		return err
	}
	var t terminal.Table
	add := func(name, value string) {
		if value != "" {
			t.Row("  "+name, terminal.Plain(value))
		}
	}
	add("integration", i.Integration)
	add("enterprise", i.Enterprise)
	if len(i.Labels) > 0 {
		add("labels", labelText(i.Labels))
	}
	if i.Integration != "" {
		add("state", i.State.String())
	}
	add("evidence", describeEvidence(i.Evidence, i.AgeSeconds))
	return t.Write(o.w, o.columns)
}

// describeEvidence describes the evidence behind a verdict.
func describeEvidence(e *api.Evidence, age *int64) string {
	if e == nil {
		return ""
	}
	text := e.Kind.String()
	if e.Action != "" {
		text = e.Action
	}
	if age != nil {
		text += ", " + ageOf(*age) + " old"
	}
	return text
}

// ageOf writes seconds for people.
func ageOf(seconds int64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	}
	return fmt.Sprintf("%d s", seconds)
}
