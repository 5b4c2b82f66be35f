package sqlitestore_test

import (
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// TestOptionsThatMakeNoSense are refused, by the name of the field, its value and what
// is allowed.
func TestOptionsThatMakeNoSense(t *testing.T) {
	for says, o := range map[string]sqlitestore.Options{
		"Options.BusyTimeout is 1ns; it must be from 1ms to 24h":           {BusyTimeout: 1},
		"Options.BusyTimeout is -1s; it must be":                           {BusyTimeout: -time.Second},
		"Options.EraseWithin is 1ns; it must be from 1ms to 24h":           {EraseWithin: 1},
		"Options.EraseWithin is 2562047h47m16.854775807s; it must be":      {EraseWithin: math.MaxInt64},
		"Options.Readers is -1; it must be from 1 to 1000":                 {Readers: -1},
		"Options.Readers is 1001; it must be":                              {Readers: 1001},
		"Options.CheckpointPages is -1; it must be from 1 to 1073741824":   {CheckpointPages: -1},
		"Options.CheckpointPages is 1073741825; it must be from 1 to 1073": {CheckpointPages: 1<<30 + 1},
	} {
		path := filepath.Join(t.TempDir(), "keyrack.db")
		s, err := sqlitestore.Open(t.Context(), path, &o)
		if !errors.Is(err, store.ErrInvalid) || s != nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v", says, err)
		}
		if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the file was made all the same: %v", says, err)
		}
	}
}
