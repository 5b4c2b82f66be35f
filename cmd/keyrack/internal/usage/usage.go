// Package usage marks the errors by which a person learns that the command was
// called wrongly: an invalid flag, argument, variable or settings file. They end
// the command with exit code 2; every other error ends it with 1.
//
// A message says what is wrong and what to do next. It quotes nothing that could be
// a secret: what a person mistypes may be a token in the wrong place.
package usage

import "fmt"

// Error is a usage error. It unwraps to the error that it marks.
type Error struct{ Err error }

// Errorf returns a usage error with a message of its own.
func Errorf(format string, args ...any) error { return Error{fmt.Errorf(format, args...)} }

func (e Error) Error() string { return e.Err.Error() }
func (e Error) Unwrap() error { return e.Err }
