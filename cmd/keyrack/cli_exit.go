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

// exitCode ends the command with an exit code, and without another word: the
// verb has said what there is to say.
type exitCode int

func (exitCode) Error() string { return "the answer is in the exit code" }

// codeOf returns the exit code of an error.
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

// exitOf returns what a verdict's status is to a shell.
func exitOf(s lifecycle.Status) error {
	switch s {
	case lifecycle.Valid:
		return nil
	case lifecycle.Invalid:
		return exitCode(exitInvalid)
	}
	return exitCode(exitUnknown)
}

// newExitCodes is a page of the help.
func newExitCodes() *cobra.Command {
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "What the exit codes mean",
		Long: `Every verb ends with one of these exit codes:

  0  done; of check and probe: the token is valid
  1  failed: something is not as it should be, and stderr says what
  2  called in a way that cannot be meant: a flag, an argument, a variable, the file
     of settings
  3  check, probe: the token is not valid
  4  check, probe: unknown; the evidence is ambiguous or missing, or nobody knows the
     token

trigger and replay fail where a delivery was not taken in, adopt where a record was
not, or a token was not proved though Mews is asked, and simulate where the receiver
said something wrong with certainty. Only 0 of check means that a token may be used:

  if printf %s "$TOKEN" | keyrack check --quiet; then call_mews; fi`,
	}
}
