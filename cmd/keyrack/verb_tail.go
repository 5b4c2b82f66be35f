package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

const (
	firstPause = time.Second // before reconnecting
	mostPause  = 30 * time.Second
)

// tailing tails the journal.
type tailing struct {
	after string // the id of the latest event; empty for from now on
	kinds []string
	count int

	client   sidecar
	output   output
	warnings io.Writer
	seen     int
}

func newTail(env environment) *cobra.Command {
	var t tailing
	tail := &cobra.Command{
		Use:   "tail [flags]",
		Short: "Tail the journal, one line for each change",
		Long: `Tail reads the journal of a sidecar and prints a line for everything that happens to
an integration, until it is interrupted or has printed --count lines. When the
connection is lost it reconnects and continues where it stopped.

With --format jsonl each line has a position: --after POSITION continues from there,
and --after 0 begins with the oldest entry that is left.

` + sidecarHelp + `
The key needs the scope read.`,
		Example: `  keyrack tail
  keyrack tail --kind status,alarm
  keyrack tail --after 0 --format jsonl`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			if err := t.check(); err != nil {
				return err
			}
			if err := t.output.open(verb, env); err != nil {
				return err
			}
			if err := t.client.open(env, verb.ErrOrStderr()); err != nil {
				return err
			}
			defer t.client.Close()
			t.warnings = verb.ErrOrStderr()
			return t.tail(verb.Context())
		},
	}
	flags := tail.Flags()
	flags.SortFlags = false
	flags.StringVar(&t.after, "after", "", "begin after this `position`, 0 for the oldest entry (default: from now on)")
	flags.StringSliceVar(&t.kinds, "kind", nil, "only these `kinds`: status, state, token, alarm, succeeded (default: any)")
	flags.IntVar(&t.count, "count", 0, "end after this many lines; 0 is no limit")
	t.output.flags(flags)
	t.client.flags(flags)
	return tail
}

func (t *tailing) check() error {
	for _, kind := range t.kinds {
		if !slices.Contains(api.ChangeKinds, keyrack.ChangeKind(kind)) {
			return usage.Errorf("unknown --kind %s; use status, state, token, alarm, succeeded or any", terminal.Quote(kind))
		}
	}
	if _, err := strconv.ParseUint(t.after, 10, 64); t.after != "" && err != nil {
		return usage.Errorf("--after must be a position, a number that --format jsonl shows")
	}
	if t.count < 0 {
		return usage.Errorf("--count must be a number of lines, or 0 for no limit")
	}
	return nil
}

// errEnough ends a stream after --count lines.
var errEnough = errors.New("enough")

// tail tails until ctx ends, which is not an error.
func (t *tailing) tail(ctx context.Context) error {
	for gap, connected := firstPause, false; ; {
		before := t.seen
		err := t.stream(ctx, &connected)
		var refused *client.Error
		switch {
		case ctx.Err() != nil || errors.Is(err, errEnough):
			return nil
		case errors.As(err, &refused) && refused.Status < 500 && refused.Status != http.StatusTooManyRequests, !connected:
			return err // trying again would not help
		case errors.As(err, new(writeError)):
			return err
		}
		if t.seen > before {
			gap = firstPause
		}
		fmt.Fprintf(t.warnings, "keyrack: the stream ended; reconnecting in %v\n", gap)
		if pause.For(ctx, gap) != nil {
			return nil
		}
		gap = min(2*gap, mostPause)
	}
}

// writeError is an error of stdout.
type writeError struct{ error }

// stream reads one stream to its end, which is an error.
func (t *tailing) stream(ctx context.Context, connected *bool) error {
	return t.client.Tail(ctx, t.after, t.kinds, func() { *connected = true }, t.take)
}

// take handles one event.
func (t *tailing) take(e client.Event) error {
	if e.ID != "" {
		t.after = e.ID
	}
	if e.Name != "change" || !json.Valid(e.Data) {
		return nil // from a later version
	}
	t.seen++
	if err := t.tell(e.Data); err != nil {
		return err
	}
	if t.seen == t.count {
		return errEnough
	}
	return nil
}

func (t *tailing) tell(data json.RawMessage) error {
	if !t.output.text() {
		if err := t.output.raw(data); err != nil {
			return writeError{err}
		}
		return nil
	}
	d, err := client.Decode[api.Change](data)
	if err != nil {
		return writeError{err}
	}
	if err := t.output.printf("%s\n", lineOf(&t.output, d)); err != nil {
		return writeError{err}
	}
	return nil
}

// lineOf writes an entry in one line: when, which integration, what, the outcome, and how the
// state and the verdict changed.
func lineOf(o *output, d api.Change) string {
	id := terminal.Plain(d.Integration)
	if id == "" {
		id = "(none)"
	}
	text := fmt.Sprintf("%s  %-36s  %-24s  %v", d.At.UTC().Format(time.RFC3339), id, whatOf(d), d.Outcome)
	if d.Cause != "" {
		text += " (" + terminal.Plain(d.Cause) + ")"
	}
	if len(d.Unread) > 0 {
		text += "  unread: " + terminal.Plain(strings.Join(d.Unread, " "))
	}
	if d.From != d.To {
		text += fmt.Sprintf("  %v -> %v", d.From, d.To)
	}
	if d.Was != d.Is {
		text += fmt.Sprintf("  %s -> %s (%v)", o.status(d.Was.String()), o.status(d.Is.String()), d.Reason)
	}
	if d.Alarm {
		text += "  ALARM"
	}
	return text
}

// whatOf names what happened.
func whatOf(d api.Change) string {
	what := d.Kind.String()
	if d.Kind == lifecycle.KindDelivery {
		what = terminal.Plain(d.Action)
	}
	if d.Answered != nil {
		what += " " + d.Answered.String()
	}
	return what
}
