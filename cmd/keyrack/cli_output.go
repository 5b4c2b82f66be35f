package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// The formats in which a verb answers.
const (
	formatText  = "text"  // for people
	formatJSON  = "json"  // one value, indented
	formatJSONL = "jsonl" // one value a line
)

// output is where a verb writes, and in which format.
type output struct {
	format string

	w       io.Writer
	columns int // of the terminal: see terminal.Table
	colour  bool
}

func (o *output) flags(flags *pflag.FlagSet) {
	flags.StringVar(&o.format, "format", formatText, "`text` for people; json or jsonl for programs")
}

// open checks the format and takes the stream that the verb writes to.
func (o *output) open(verb *cobra.Command, env environment) error {
	o.w = verb.OutOrStdout()
	o.columns = terminal.Columns(o.w)
	o.colour = terminal.Is(o.w) && env("NO_COLOR") == "" && env("TERM") != "dumb"
	switch o.format {
	case formatText, formatJSON, formatJSONL:
		return nil
	}
	return usage.Errorf("unknown --format %s; use text, json or jsonl", terminal.Quote(o.format))
}

func (o *output) text() bool { return o.format == formatText }

func (o *output) printf(format string, args ...any) error {
	_, err := fmt.Fprintf(o.w, format, args...)
	return err
}

// value writes one value for a program.
func (o *output) value(v any) error {
	encoder := json.NewEncoder(o.w)
	encoder.SetEscapeHTML(false)
	if o.format == formatJSON {
		encoder.SetIndent("", "  ")
	}
	return encoder.Encode(v)
}

// raw writes a value that is JSON already.
func (o *output) raw(v json.RawMessage) error {
	var b bytes.Buffer
	var err error
	if o.format == formatJSON {
		err = json.Indent(&b, v, "", "  ")
	} else {
		err = json.Compact(&b, v)
	}
	if err != nil {
		return err
	}
	return o.printf("%s\n", bytes.TrimSpace(b.Bytes()))
}

// list writes rows for programs. For people it calls text.
func list[T any](o *output, rows []T, text func() error) error {
	switch o.format {
	case formatJSON:
		return o.value(rows)
	case formatJSONL:
		for _, r := range rows {
			if err := o.value(r); err != nil {
				return err
			}
		}
		return nil
	}
	return text()
}

// status returns a verdict's status, in its colour if colours are on.
func (o *output) status(s string) string {
	if !o.colour {
		return terminal.Plain(s)
	}
	colour := map[string]int{"valid": 32, "invalid": 31, "unknown": 33}[s]
	if colour == 0 {
		return terminal.Plain(s)
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, s)
}

// namesOf returns the names of values.
func namesOf[T any](values []T) []string {
	names := make([]string, 0, len(values))
	for _, v := range values {
		names = append(names, fmt.Sprint(v))
	}
	return names
}

// describeAnswers writes how often each status was answered.
func describeAnswers(answers map[int]int) string {
	if len(answers) == 0 {
		return "none"
	}
	var each []string
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		what := fmt.Sprint(status)
		if status == 0 {
			what = "no answer"
		}
		each = append(each, fmt.Sprintf("%s: %d", what, answers[status]))
	}
	return strings.Join(each, ", ")
}
