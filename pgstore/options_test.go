package pgstore_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/pgstore"
)

// TestOptionsThatMakeNoSense are refused before anything is sent, by the name of the
// field, its value and what is allowed.
func TestOptionsThatMakeNoSense(t *testing.T) {
	for says, o := range map[string]pgstore.Options{
		"Options.Poll is 1ns; it must be from 1ms to 24h":      {Poll: 1},
		"Options.Poll is 2562047h47m16.854775807s; it must be": {Poll: math.MaxInt64 * time.Nanosecond},
		"Options.Schema has 64 bytes; it must have at most 63": {Schema: strings.Repeat("s", 64)},
	} {
		s, err := pgstore.Open(t.Context(), "postgres://127.0.0.1:1/none", &o)
		if !errors.Is(err, pgstore.ErrSettings) || s != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
	}
}
