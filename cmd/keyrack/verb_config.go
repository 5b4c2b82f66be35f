package main

import (
	"errors"
	"net/url"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/terminal"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

func newConfig(l *layers) *cobra.Command {
	var o output
	config := &cobra.Command{
		Use:   "config [flags] [VERB [FLAG]...]",
		Short: "Show where each setting comes from",
		Long: `Config shows the settings of a verb with the flags that follow it, of serve by default,
and where each setting comes from. In this order:

  flag          on the command line
  environment   --webhook-addr is KEYRACK_WEBHOOK_ADDR, and so on
  file          the one that --config or KEYRACK_CONFIG names
  default

The file has lines such as KEYRACK_WEBHOOK_ADDR=127.0.0.1:8080. Empty lines and lines
that begin with # are skipped; an unknown setting is an error. Only the owner may have
access to a file that holds secrets.

Config never shows a secret, only whether it is set. It contacts nobody.`,
		Example: `  keyrack config
  keyrack config list
  keyrack config --config keyrack.env serve --horizon 1h`,
		RunE: func(verb *cobra.Command, args []string) error {
			if err := o.open(verb, l.lookup); err != nil {
				return err
			}
			return l.show(verb.Root(), args, &o)
		},
	}
	config.Flags().SetInterspersed(false) // what follows a verb is the verb's
	config.Flags().SortFlags = false
	o.flags(config.Flags())
	return config
}

// configured is one setting and where it comes from.
type configured struct {
	Flag     string `json:"flag,omitempty"` // missing for secrets
	Variable string `json:"variable,omitempty"`
	Value    string `json:"value"`
	From     string `json:"from"`
	Secret   bool   `json:"secret"` // then the value says whether it is set
}

// show prints the settings of a verb.
func (l *layers) show(root *cobra.Command, args []string, o *output) error {
	if len(args) == 0 {
		args = []string{"serve"}
	}
	verb, rest, err := root.Find(args)
	if err != nil || verb == root {
		return usage.Errorf("unknown command; keyrack --help lists the commands")
	}
	if err := verb.ParseFlags(rest); err != nil {
		return usage.Errorf("%w", err)
	}
	l.given = givenIn(verb.Flags())
	wrong := setFromEnvironment(verb.Flags(), l.lookup)
	all := l.list(verb.Flags())
	return errors.Join(l.tell(verb, all, o), wrong)
}

// givenIn returns the flags that are set by now.
func givenIn(flags *pflag.FlagSet) map[string]bool {
	given := map[string]bool{}
	flags.Visit(func(f *pflag.Flag) { given[f.Name] = true })
	return given
}

// list returns the settings of a verb, once its flags are set.
func (l *layers) list(flags *pflag.FlagSet) (all []configured) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "config" {
			return
		}
		s := configured{Flag: "--" + f.Name, Value: shown(f.Value.String()), From: "default"}
		if settable(f) {
			s.Variable = variable(f.Name)
		}
		if from := l.source(s.Variable); l.given[f.Name] {
			s.From = "flag"
		} else if from != "" && s.Variable != "" {
			s.From = from
		}
		all = append(all, s)
	})
	for _, name := range secretVariables {
		s := configured{Variable: name, Value: "not set", Secret: true}
		if from := l.source(name); from != "" {
			s.Value, s.From = "set", from
		}
		all = append(all, s)
	}
	return all
}

func (l *layers) tell(verb *cobra.Command, all []configured, o *output) error {
	switch o.format {
	case formatJSON:
		return o.value(all)
	case formatJSONL:
		for _, s := range all {
			if err := o.value(s); err != nil {
				return err
			}
		}
		return nil
	}
	file := "no settings file; set one with --config or KEYRACK_CONFIG"
	if l.name != "" {
		file = "file: " + l.name
	}
	if err := o.printf("%s (%s)\n\n", verb.CommandPath(), terminal.Plain(file)); err != nil {
		return err
	}
	var t terminal.Table
	t.Titles("FLAG", "VARIABLE", "VALUE", "FROM")
	for _, s := range all {
		t.Row(s.Flag, s.Variable, terminal.Plain(s.Value), s.From)
	}
	return t.Write(o.w, o.columns)
}

// shown returns a value without what may be secret in it: the password and the query of a
// URL.
func shown(value string) string {
	if !strings.Contains(value, "://") {
		return value
	}
	u, err := url.Parse(value)
	if err != nil {
		return "(hidden: not a URL)"
	}
	hidden := u.User != nil || u.RawQuery != "" || u.Fragment != ""
	u.User, u.RawQuery, u.Fragment, u.ForceQuery = nil, "", "", false
	if hidden {
		return u.String() + " (the rest is hidden)"
	}
	return u.String()
}
