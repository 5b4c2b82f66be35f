package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// secretVariables hold what is no flag's to say, and is never shown.
var secretVariables = []string{
	secretVariable, previousVariable, sealingVariable, clientTokenVariable, api.KeysVariable, apiKeyVariable,
}

// layers are where values come from, behind the command line: the environment, and
// then one file.
type layers struct {
	outer environment
	name  string // of the file; empty where there is none
	file  map[string]string
}

// lookup is an environment.
func (l *layers) lookup(name string) string {
	if value := l.outer(name); value != "" {
		return value
	}
	return l.file[name]
}

// source says where a variable's value comes from, or "".
func (l *layers) source(name string) string {
	switch {
	case l.outer(name) != "":
		return "environment"
	case l.file[name] != "":
		return "file"
	}
	return ""
}

// load reads the file, if there is one.
func (l *layers) load(root *cobra.Command) error {
	if l.name == "" {
		l.name = l.outer(variable("config"))
	}
	if l.name == "" {
		return nil
	}
	text, err := os.ReadFile(l.name)
	if err != nil {
		return fmt.Errorf("the configuration: %w", err)
	}
	known := knownVariables(root)
	if l.file, err = parseConfig(string(text), func(name string) bool { return slices.Contains(known, name) }); err != nil {
		return usage.Errorf("%s, %w", l.name, err)
	}
	return l.private()
}

// private fails where a file with secrets in it is open to others.
func (l *layers) private() error {
	info, err := os.Stat(l.name)
	if err != nil || !openToOthers(l.name, info.Mode()) {
		return err
	}
	for _, name := range secretVariables {
		if l.file[name] != "" {
			return fmt.Errorf("%s has %s in it and can be read or written by others; take that away: chmod 600 %s", l.name, name, l.name)
		}
	}
	return nil
}

// openToOthers tells whether a file's mode lets others than its owner at it. What
// systemd hands to a service shows as its group's to read: there the access list
// names the service alone, and the mode shows that list's mask (systemd#29435).
func openToOthers(file string, mode fs.FileMode) bool {
	others := mode.Perm() & 0o077
	if folder := os.Getenv("CREDENTIALS_DIRECTORY"); folder != "" && filepath.Dir(file) == filepath.Clean(folder) {
		others &^= 0o040
	}
	return others != 0 && runtime.GOOS != "windows"
}

// parseConfig reads lines of NAME=VALUE. Its errors quote nothing: a line that is
// wrong may hold a secret.
func parseConfig(text string, known func(name string) bool) (map[string]string, error) {
	values := map[string]string{}
	n := 0
	for line := range strings.Lines(strings.TrimPrefix(text, "\ufeff")) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, ok := strings.Cut(strings.TrimPrefix(line, "export "), "=")
		name, value = strings.TrimSpace(name), unquoted(strings.TrimSpace(value))
		_, twice := values[name]
		switch {
		case !ok:
			return nil, fmt.Errorf("line %d: a line is NAME=VALUE, or begins with #", n)
		case !known(name):
			return nil, fmt.Errorf("line %d: there is no such setting; keyrack config lists what there is", n)
		case twice:
			return nil, fmt.Errorf("line %d: it is there already", n)
		}
		values[name] = value
	}
	return values, nil
}

// unquoted takes the quotes away that a value may stand in, as in a shell.
func unquoted(value string) string {
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// knownVariables returns the variables of all flags, and the secret ones.
func knownVariables(root *cobra.Command) []string {
	all := slices.Clone(secretVariables)
	var walk func(verb *cobra.Command)
	walk = func(verb *cobra.Command) {
		verb.Flags().VisitAll(func(f *pflag.Flag) {
			if settable(f) && f.Name != "config" {
				all = append(all, variable(f.Name))
			}
		})
		for _, sub := range verb.Commands() {
			walk(sub)
		}
	}
	walk(root)
	slices.Sort(all)
	return slices.Compact(all)
}

// settable tells whether the environment sets a flag.
func settable(f *pflag.Flag) bool {
	_, byHand := f.Annotations[explicit]
	return f.Name != "help" && !byHand
}

func newConfig(l *layers) *cobra.Command {
	var o output
	config := &cobra.Command{
		Use:   "config [flags] [VERB [FLAG]...]",
		Short: "Show where each setting comes from",
		Long: `Config shows the settings of a verb, serve if none is named, as they would be with
the flags that follow it, and where each comes from. In this order:

  flag          on the command line
  environment   --webhook-addr is KEYRACK_WEBHOOK_ADDR, and so on
  file          the one that --config or KEYRACK_CONFIG names
  default

The file has lines as an environment file has: KEYRACK_WEBHOOK_ADDR=127.0.0.1:8080.
Lines that begin with # and empty ones are passed over; what is no setting is an
error. A file with secrets in it must be its owner's alone.

Secrets are never shown, only whether they are set. Config asks nobody.`,
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

// configured is one value and where it comes from.
type configured struct {
	Flag     string `json:"flag,omitempty"` // missing for what is no flag's to say
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
		return usage.Errorf("there is no such command")
	}
	if err := verb.ParseFlags(rest); err != nil {
		return usage.Errorf("%w", err)
	}
	given := map[string]bool{}
	verb.Flags().Visit(func(f *pflag.Flag) { given[f.Name] = true })
	if l.name != "" {
		delete(given, "config") // whose source is told by its name
	}
	wrong := setFromEnvironment(verb.Flags(), l.lookup)
	var all []configured
	verb.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name == "help" || f.Name == "config" {
			return
		}
		s := configured{Flag: "--" + f.Name, Value: shown(f.Value.String()), From: "default"}
		if settable(f) {
			s.Variable = variable(f.Name)
		}
		if from := l.source(s.Variable); given[f.Name] {
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
	return errors.Join(l.tell(verb, all, o), wrong)
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
	file := "no file; --config or KEYRACK_CONFIG names one"
	if l.name != "" {
		file = "file: " + l.name
	}
	if err := o.printf("%s (%s)\n\n", verb.CommandPath(), plain(file)); err != nil {
		return err
	}
	var t table
	t.row("FLAG", "VARIABLE", "VALUE", "FROM")
	for _, s := range all {
		t.row(s.Flag, s.Variable, plain(s.Value), s.From)
	}
	return t.write(o.w)
}

// shown is a value without what may be secret in it: a URL's password and query.
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
