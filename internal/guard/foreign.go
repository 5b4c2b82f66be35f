package guard

import (
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// foreignError is an error out of code that is not ours: a store's, a sealer's.
// It unwraps to that error, so that errors.Is and errors.As see all of it; its
// text, and every other formatting, tells what kind of error it is and quotes
// nothing, since it ends up in logs.
type foreignError struct {
	text  string
	cause func() error // behind a function, where no formatting finds it
}

func (e *foreignError) Error() string { return e.text }

// Unwrap returns the error as it came.
func (e *foreignError) Unwrap() error { return e.cause() }

// Foreign returns an error that may be logged for one that a store, a sealer or
// other code of somebody else's returned. nil stays nil, and one of our own sentinels
// stays what it is.
func Foreign(whose string, err error) error {
	if err == nil || known(err) != "" {
		return err
	}
	return &foreignError{whose + " error" + makeOf(err), func() error { return err }}
}

// sentinels are errors whose text is known to be fixed.
var sentinels = []error{
	context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	store.ErrConflict, store.ErrOwned, store.ErrNotFound, store.ErrFenced, store.ErrTrimmed, store.ErrInvalid, store.ErrGone,
	lifecycle.ErrNewer, seal.ErrKeySize, seal.ErrNoKey, seal.ErrOpen,
}

// known returns the text of an error that is fixed: a sentinel's, an operating
// system's.
func known(err error) string {
	switch err := err.(type) {
	case *store.OwnedError, *foreignError, syscall.Errno:
		return err.Error()
	}
	for _, s := range sentinels {
		if err == s { // this very one, with nothing around it
			return s.Error()
		}
	}
	return ""
}

// makeOf says what is known of an error without its text, behind colons: the
// types that it is made of, the codes that they tell, and the sentinels in it.
func makeOf(err error) string {
	var b strings.Builder
	parts := 0
	add := func(part string) {
		b.WriteString(": " + part)
		parts++
	}
	var look func(error)
	look = func(err error) {
		if err == nil || parts >= 8 {
			return
		}
		if text := known(err); text != "" {
			add(text)
			return
		}
		if failure, ok := err.(store.Failure); ok && printable(failure.Failure()) {
			add(failure.Failure())
			return
		}
		if part := kind(err); part != "" {
			add(part)
		}
		switch err := err.(type) {
		case interface{ Unwrap() error }:
			look(err.Unwrap())
		case interface{ Unwrap() []error }:
			for _, one := range err.Unwrap() {
				look(one)
			}
		}
	}
	look(err)
	return b.String()
}

// kind returns an error's type. It is "" for wrappers and plain texts, whose types say
// nothing.
func kind(err error) string {
	name := fmt.Sprintf("%T", err)
	switch name {
	case "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError", "*errors.errorString", "*fmt.fmtError":
		return ""
	}
	return name
}

// printable reports whether a text is one short line of ASCII.
func printable(text string) bool {
	return text != "" && len(text) <= 200 && !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}
