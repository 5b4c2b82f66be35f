package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/storage"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// The exit codes.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 2
)

// run is the whole command, from its arguments without the program's name to its exit
// code. Canceling ctx is what a signal is to the process.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer, env environment) int {
	root := newRoot(env)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	verb, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	code, silent := codeOf(err)
	if !silent {
		fmt.Fprintf(stderr, "keyrack: %s\n", said(err))
	}
	if code == exitUsage {
		fmt.Fprintf(stderr, "Run '%s --help' for usage.\n", verb.CommandPath())
	}
	return code
}

// said returns the text of an error to follow the command's name. Errors of the library
// begin with the same word.
func said(err error) string {
	text := strings.TrimPrefix(err.Error(), "keyrack: ")
	return strings.NewReplacer(": keyrack: ", ": ", "\nkeyrack: ", "\n").Replace(text)
}

// newRoot returns the command with all its verbs, which take their settings from env.
func newRoot(env environment) *cobra.Command {
	config := &layers{outer: env}
	env = config.lookup
	root := &cobra.Command{
		Use:   "keyrack",
		Short: "Is this hotel's Mews access token still valid?",
		Long: `Keyrack knows, for every hotel that is connected to an app through Mews, whether
its access token is still valid.

It receives Mews's Integration Webhooks, which arrive twice, late, out of order or
never, and answers valid, invalid or unknown, with the reason. It is never silently
wrong: when the evidence is ambiguous it answers unknown.

Settings come from flags, the environment and a file, in this order: keyrack config.
Exit codes: 0 done, 1 failed, 2 usage error, 3 not valid, 4 unknown: keyrack help
exit-codes.`,
		Example: `  # Play a hotel's life in a few seconds, and see what follows from each webhook.
  keyrack demo

  # Receive webhooks on port 8080 and answer questions on port 8081.
  KEYRACK_WEBHOOK_SECRET=$(openssl rand -hex 32) keyrack serve

  # Send a webhook as Mews would, and ask about its token.
  printf %s "$TOKEN" | keyrack trigger created --token-stdin
  printf %s "$TOKEN" | keyrack check`,
		Args: func(root *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			hint := ""
			if similar := root.SuggestionsFor(args[0]); len(similar) > 0 {
				hint = "; did you mean " + strings.Join(similar, " or ") + "?"
			}
			return usage.Errorf("unknown command %q%s", args[0], hint)
		},
		RunE:              func(root *cobra.Command, _ []string) error { return root.Help() },
		SilenceErrors:     true,
		SilenceUsage:      true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(verb *cobra.Command, _ []string) error {
			if err := config.quoted(verb.Flags()); err != nil {
				return err
			}
			if err := config.load(verb); err != nil {
				return err
			}
			if store := verb.Flags().Lookup("store"); store != nil && store.Changed && storage.HasPassword(store.Value.String()) {
				warner(verb)("other users of this machine can read the password in --store; set " + variable("store") + ", or leave it out and set PGPASSWORD")
			}
			config.given = givenIn(verb.Flags())
			return setFromEnvironment(verb.Flags(), env)
		},
	}
	root.PersistentFlags().StringVar(&config.name, "config", "", "`file` of settings; flags and the environment come first")
	root.SuggestionsMinimumDistance = 2
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage.Errorf("%w", err) })
	addVerbs(root, verbGroups(env, config))
	for _, verb := range append(root.Commands(), root) {
		verb.DisableFlagsInUseLine = true
	}
	return root
}

// The exit codes of verbs that ask about a token.
const (
	exitInvalid = 3
	exitUnknown = 4
)

// exitCode ends the command with an exit code and no message: the verb has said
// everything.
type exitCode int

func (exitCode) Error() string { return "the answer is in the exit code" }

// codeOf returns the exit code of an error, and whether it needs no message.
func codeOf(err error) (code int, silent bool) {
	exit, alone := err.(exitCode) // beside another error it is no answer
	var mistake usage.Error
	switch {
	case err == nil:
		return exitOK, true
	case alone:
		return int(exit), true
	case errors.As(err, &mistake):
		return exitUsage, false
	}
	return exitError, false
}

// exitOf returns the exit code of a verdict's status, as an error.
func exitOf(s lifecycle.Status) error {
	switch s {
	case lifecycle.Valid:
		return nil
	case lifecycle.Invalid:
		return exitCode(exitInvalid)
	}
	return exitCode(exitUnknown)
}

// newExitCodes returns a page of the help.
func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Every verb ends with one of these exit codes:

  0  done; for check and probe: the token is valid
  1  failed; stderr says why
  2  usage error: an invalid flag, argument, variable or settings file
  3  check, probe: the token is not valid
  4  check, probe: unknown; the evidence is ambiguous or missing, or the token is not
     known

trigger and replay fail if a webhook was not accepted. import fails if a record was
not imported or, where Mews is asked, if a token was not confirmed. simulate fails if
the receiver was wrong with certainty. A token may be used only if check ends with 0:

  if printf %s "$TOKEN" | keyrack check --quiet; then call_mews; fi`,
	}
}
