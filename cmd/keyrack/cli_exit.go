package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

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
