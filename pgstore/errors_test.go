package pgstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/keyrack-dev/keyrack/internal/guard"
	"github.com/keyrack-dev/keyrack/pgstore"
)

// What the database says quotes keys and rows; of all that only the SQLSTATE is left.
func TestErrorsHoldNoValues(t *testing.T) {
	said := func(code string) error {
		return fmt.Errorf("said: %w", &pgconn.PgError{
			Code: code, Message: "a secret", Detail: "Key (id)=(secret) already exists.", Hint: "secret",
			Where: "secret", TableName: "secret", ConstraintName: "secret", InternalQuery: "secret",
		})
	}
	for _, c := range []struct {
		err  error
		want error
		code string
	}{
		{said("23505"), pgstore.ErrOther, "23505"},
		{said("53100"), pgstore.ErrFull, "53100"},
		{said("53300"), pgstore.ErrBusy, "53300"},
		{said("57014"), pgstore.ErrBusy, "57014"},
		{said("57P01"), pgstore.ErrUnreachable, "57P01"},
		{said("08006"), pgstore.ErrUnreachable, "08006"},
		{said("25006"), pgstore.ErrReadOnly, "25006"},
		{said("28P01"), pgstore.ErrDenied, "28P01"},
		{said("42501"), pgstore.ErrDenied, "42501"},
		{said("42P01"), pgstore.ErrNotMigrated, "42P01"},
		{said("secret"), pgstore.ErrUnreachable, ""},
		{&net.OpError{Op: "dial", Err: errors.New("secret")}, pgstore.ErrUnreachable, ""},
		{errors.New("secret"), pgstore.ErrUnreachable, ""},
	} {
		err := pgstore.Failure(t.Context(), c.err)
		var made *pgstore.Error
		if !errors.Is(err, c.want) || !errors.As(err, &made) || made.Code != c.code || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%v: got %v", c.want, err)
		}
		if logged := guard.Foreign("store", err); logged.Error() != "store error: "+err.Error() {
			t.Errorf("%v: a log says %q, and not what failed", c.want, logged)
		}
		for e := err; e != nil; e = errors.Unwrap(e) {
			if strings.Contains(fmt.Sprintf("%v %+v %#v", e, e, e), "secret") {
				t.Errorf("the error holds a value: %v", e)
			}
		}
	}
	ended, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("secret"))
	if err := pgstore.Failure(ended, said("57014")); !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "secret") {
		t.Errorf("with a context that has ended: %v", err)
	}
}
