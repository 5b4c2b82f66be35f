package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// replay sends recorded bodies again.
type replay struct {
	rate float64

	target target
	output output
	errors io.Writer
}

func newReplay(env environment) *cobra.Command {
	var r replay
	verb := &cobra.Command{
		Use:   "replay FILE|- [flags]",
		Short: "Replay recorded webhooks in order",
		Long: `Replay reads webhook bodies from a file of JSON Lines, or from stdin (-), and sends
each once to a receiver as Mews would, one after the other.

Lines are sent as they are, without a check of what they hold; empty lines are skipped. A
JSON object over several lines, as an editor lays it out, is one body.
Replay prints the line number of every body that the receiver does not accept and
continues with the next, and prints a summary at the end.

The bodies hold tokens: protect such files like passwords.

` + targetHelp + `

Exit codes: 0 if every answer is 2xx, otherwise 1.`,
		Example: `  keyrack replay bodies.jsonl
  keyrack replay - --rate 5 --to http://127.0.0.1:3000/hooks < bodies.jsonl`,
		Args: exactly("FILE|-"),
		RunE: func(verb *cobra.Command, args []string) error {
			if err := r.output.open(verb, env); err != nil {
				return err
			}
			if r.rate != 0 && !(r.rate >= 0.001 && r.rate <= 1e9) {
				return usage.Errorf("--rate must be a number of bodies per second from 0.001 to 1e9, or 0 for no limit")
			}
			if err := r.target.check(env, verb.ErrOrStderr()); err != nil {
				return err
			}
			r.errors = verb.ErrOrStderr()
			in, close, err := files.Open(args[0], verb.InOrStdin())
			if err != nil {
				return err
			}
			defer close()
			return r.replay(verb.Context(), in)
		},
	}
	flags := verb.Flags()
	flags.SortFlags = false
	r.target.flags(flags)
	flags.Float64Var(&r.rate, "rate", 0, "`bodies` per second at most; 0 is no limit")
	r.output.flags(flags)
	return verb
}

// summary is what became of the bodies.
type summary struct {
	Bodies    int         `json:"bodies"`
	Delivered int         `json:"delivered"`
	Answers   map[int]int `json:"answers"` // by status; 0 is none
	Took      float64     `json:"took_ms"`
}

func (r *replay) replay(ctx context.Context, in io.Reader) error {
	sender, close := r.target.sender()
	defer close()
	began, sum := time.Now(), summary{Answers: map[int]int{}}
	var last mewstest.Reply // that was no success
	var failed error
	for n, line := range files.Lines(in, &failed) {
		if r.rate > 0 && sum.Bodies > 0 {
			due := began.Add(time.Duration(float64(sum.Bodies) / r.rate * float64(time.Second)))
			if failed = pause.For(ctx, time.Until(due)); failed != nil {
				break
			}
		}
		answer := sender.Post(ctx, line)
		if ctx.Err() != nil {
			failed = errors.New("interrupted")
			break
		}
		sum.Bodies++
		sum.Answers[answer.Status]++
		if succeeded(answer) {
			sum.Delivered++
		} else {
			last = answer
		}
		if err := r.tell(n, answer); err != nil {
			return err
		}
	}
	sum.Took = milliseconds(time.Since(began))
	if err := r.sum(sum, time.Since(began)); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return fmt.Errorf("%w after %d bodies", failed, sum.Bodies)
	case sum.Delivered == sum.Bodies:
		return nil
	case r.target.hint(last) != "":
		return fmt.Errorf("%d of %d were not delivered; %s", sum.Bodies-sum.Delivered, sum.Bodies, r.target.hint(last))
	}
	return fmt.Errorf("%d of %d were not delivered", sum.Bodies-sum.Delivered, sum.Bodies)
}

// tell prints the answer to one line: to every line for programs, and to failed ones for
// people.
func (r *replay) tell(line int, a mewstest.Reply) error {
	switch {
	case r.output.format == formatJSONL:
		return r.output.value(struct {
			Line      int     `json:"line"`
			Delivered bool    `json:"delivered"`
			Status    int     `json:"status"`
			Trouble   string  `json:"trouble,omitempty"`
			Took      float64 `json:"took_ms"`
		}{line, succeeded(a), a.Status, a.Trouble, milliseconds(a.Took)})
	case r.output.text() && !succeeded(a):
		return r.output.printf("line %d: %v in %v\n", line, a, tookOf(a.Took))
	}
	return nil
}

func (r *replay) sum(sum summary, took time.Duration) error {
	if !r.output.text() {
		return r.output.value(sum)
	}
	text := ""
	if len(sum.Answers) > 0 {
		text = " (" + describeAnswers(sum.Answers) + ")"
	}
	return r.output.printf("%d of %d bodies delivered in %v%s\n", sum.Delivered, sum.Bodies, tookOf(took), text)
}
