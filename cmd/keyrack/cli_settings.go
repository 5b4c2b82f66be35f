package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/client"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/files"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// environment looks a variable up. It returns "" if the variable is not set.
type environment func(name string) string

// secretVariables hold secrets. They are no flags, and their values are never shown.
var secretVariables = []string{
	secretVariable, previousVariable, storage.KeyVariable, clientTokenVariable, api.KeysVariable, client.KeyVariable,
}

// layers are where settings come from after the command line: first the environment, then
// one file.
type layers struct {
	outer environment
	name  string // of the file; empty where there is none
	file  map[string]string
	given map[string]bool // flags of the command line
}

// lookup is an environment.
func (l *layers) lookup(name string) string {
	if value := l.outer(name); value != "" {
		return value
	}
	return l.file[name]
}

// source returns where the value of a variable comes from, or "".
func (l *layers) source(name string) string {
	switch {
	case l.outer(name) != "":
		return "environment"
	case l.file[name] != "":
		return "file"
	}
	return ""
}

// load reads the settings file, if one is named. The file decides who gets in, so its rule
// is that of package files; without a secret in it, everybody may read it.
func (l *layers) load(verb *cobra.Command) error {
	if l.name == "" {
		l.name = l.outer(variable("config"))
	}
	if l.name == "" {
		return nil
	}
	guarded := files.Guarded{What: "the settings file", Elsewhere: "set the variables in the environment", Public: true}
	text, _, err := guarded.Read(l.name)
	if err != nil {
		return err
	}
	known := knownVariables(verb.Root())
	if l.file, err = parseConfig(string(text), func(name string) bool { return slices.Contains(known, name) }); err != nil {
		return usage.Errorf("%s, %w", l.name, err)
	}
	secret := l.secret()
	if secret == "" {
		return nil
	}
	guarded.What, guarded.Public = "the settings file, which holds "+secret, false
	warning, err := guarded.Check(l.name)
	warner(verb)(warning)
	return err
}

// secret names a secret that is in the file, or returns "".
func (l *layers) secret() string {
	for _, name := range secretVariables {
		if l.file[name] != "" {
			return name
		}
	}
	if storage.HasPassword(l.file[variable("store")]) {
		return "a password in " + variable("store")
	}
	return ""
}

// parseConfig reads lines of NAME=VALUE. Its errors quote nothing: an invalid line may hold
// a secret.
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
			return nil, fmt.Errorf("line %d: a line must be NAME=VALUE or begin with #", n)
		case !known(name):
			return nil, fmt.Errorf("line %d: unknown setting; keyrack config lists all settings", n)
		case twice:
			return nil, fmt.Errorf("line %d: the setting is there twice; remove one", n)
		}
		values[name] = value
	}
	return values, nil
}

// unquoted removes the quotes around a value, as a shell does.
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

// settable reports whether the environment sets a flag.
func settable(f *pflag.Flag) bool {
	_, byHand := f.Annotations[explicit]
	return f.Name != "help" && !byHand
}

// variable returns the environment variable that sets a flag.
func variable(flag string) string {
	return "KEYRACK_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// quoted returns an error for a variable whose value has quotes around it. docker run
// --env-file keeps them, unlike a shell: a secret would be taken with them and never match.
func (l *layers) quoted(flags *pflag.FlagSet) error {
	names := slices.Clone(secretVariables)
	flags.VisitAll(func(f *pflag.Flag) {
		if settable(f) {
			names = append(names, variable(f.Name))
		}
	})
	for _, name := range names {
		if value := l.outer(name); unquoted(value) != value {
			return usage.Errorf("%s has quotes around its value, as docker run --env-file leaves them; remove them", name)
		}
	}
	return nil
}

// setFromEnvironment sets the flags that are not on the command line from the environment.
func setFromEnvironment(flags *pflag.FlagSet, env environment) error {
	var errs []error
	flags.VisitAll(func(f *pflag.Flag) {
		value := env(variable(f.Name))
		if f.Changed || value == "" || !settable(f) {
			return
		}
		if err := flags.Set(f.Name, value); err != nil {
			errs = append(errs, fmt.Errorf("%s is not a valid value of --%s, a %s", variable(f.Name), f.Name, f.Value.Type()))
		}
	})
	if len(errs) > 0 {
		return usage.Errorf("%w", errors.Join(errs...))
	}
	return nil
}
