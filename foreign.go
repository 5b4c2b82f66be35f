package keyrack

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
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

// foreign makes an error of somebody's one that may be logged; nil stays nil,
// and what says nothing but our own sentinels stays what it is.
func foreign(whose string, err error) error {
	if err == nil || known(err) != "" {
		return err
	}
	return &foreignError{whose + " error" + makeOf(err), func() error { return err }}
}

// sentinels are errors whose text is known to be fixed.
var sentinels = []error{
	context.Canceled, context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
	store.ErrConflict, store.ErrOwned, store.ErrNotFound, store.ErrFenced, store.ErrTrimmed, store.ErrInvalid,
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

var sqlState = regexp.MustCompile("^[0-9A-Z]{5}$")

// kind is an error's type, with its code where it has one; empty for those
// wrappers and plain texts of which the type tells nothing.
func kind(err error) string {
	name := fmt.Sprintf("%T", err)
	switch name {
	case "*fmt.wrapError", "*fmt.wrapErrors", "*errors.joinError", "*errors.errorString", "*fmt.fmtError":
		return ""
	}
	if coded, ok := err.(interface{ SQLState() string }); ok && sqlState.MatchString(coded.SQLState()) {
		return name + " " + coded.SQLState()
	}
	if coded, ok := err.(interface{ Code() int }); ok {
		return fmt.Sprintf("%s %d", name, coded.Code())
	}
	return name
}

// contain makes an error of a panic in code that is not ours. Nothing is told of
// the panic but its type: its value may hold anything. It is to be deferred.
func contain(whose string, err *error) {
	if v := recover(); v != nil {
		*err = panicked(whose, v)
	}
}

func panicked(whose string, v any) error { return fmt.Errorf("%s: panic of a %T", whose, v) }

// guardedSealer stands before a sealer as guard does before a store: it is given
// tokens in clear.
type guardedSealer struct{ seal.Sealer }

func (g guardedSealer) Seal(plain []byte, owner string) (sealed []byte, err error) {
	defer contain("sealer", &err)
	sealed, err = g.Sealer.Seal(plain, owner)
	return sealed, foreign("sealer", err)
}

func (g guardedSealer) Open(sealed []byte, owner string) (plain []byte, err error) {
	defer contain("sealer", &err)
	plain, err = g.Sealer.Open(sealed, owner)
	return plain, foreign("sealer", err)
}
