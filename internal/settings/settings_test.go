package settings_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/settings"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// TestEveryFieldIsKept: what is set comes out again, whichever field it is, and shows as a
// difference. A field that is added to a policy fails here until it is kept.
func TestEveryFieldIsKept(t *testing.T) {
	fields := func(v reflect.Value, f func(reflect.Value, string)) {
		for i := range v.NumField() {
			f(v.Field(i), v.Type().Field(i).Name)
		}
	}
	var one settings.Settings
	try := func(at func(*settings.Settings) reflect.Value, name string) {
		given := one
		field := at(&given)
		switch field.Kind() {
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Uint8:
			field.SetUint(1)
		default:
			field.SetInt(int64(time.Hour))
		}
		s, sealer := memstore.New(nil), seal.Ephemeral()
		now, before, err := settings.Agree(t.Context(), s, sealer, given, false)
		if err != nil || now != given || before != (settings.Settings{}) {
			t.Fatalf("%s: agreed on %+v, %v", name, now, err)
		}
		if kept, err := settings.Read(t.Context(), s, sealer); err != nil || kept != given {
			t.Errorf("%s: kept is %+v, %v", name, kept, err)
		}
		if d := settings.Differences(before, now); len(d) != 2 && name != "Asks" && name != "Trusts" {
			t.Errorf("%s: differences are %v", name, d)
		}
	}
	fields(reflect.ValueOf(&one).Elem(), func(_ reflect.Value, name string) {
		if name != "Policy" {
			try(func(s *settings.Settings) reflect.Value { return reflect.ValueOf(s).Elem().FieldByName(name) }, name)
		}
	})
	fields(reflect.ValueOf(&one.Policy).Elem(), func(_ reflect.Value, name string) {
		if name != "ProveSince" {
			try(func(s *settings.Settings) reflect.Value { return reflect.ValueOf(&s.Policy).Elem().FieldByName(name) }, name)
		}
	})
}

// TestAgree: what was said last counts, what is left out follows, and all says everything.
func TestAgree(t *testing.T) {
	s, sealer := memstore.New(nil), seal.Ephemeral()
	agree := func(given settings.Settings, all bool, want settings.Settings) {
		t.Helper()
		if now, _, err := settings.Agree(t.Context(), s, sealer, given, all); err != nil || now != want {
			t.Errorf("agreed on %+v, not %+v, %v", now, want, err)
		}
	}
	agree(settings.Settings{}, false, settings.Settings{})
	if _, err := s.Sealed(t.Context(), settings.Ref); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("where nobody said anything, something is kept: %v", err)
	}
	first := settings.Settings{Horizon: time.Hour, Age: -1, Policy: lifecycle.Policy{Assume: true}}
	agree(first, false, first)
	agree(settings.Settings{}, false, first)
	second := first
	second.Age, second.Entries = 0, 5
	agree(settings.Settings{Entries: 5}, false, second)
	second.Policy = lifecycle.Policy{Levels: 2}
	agree(settings.Settings{Policy: lifecycle.Policy{Levels: 2}}, false, second)
	agree(settings.Settings{}, true, settings.Settings{})
}

// TestUnread: settings that somebody has changed without the key count for nothing, and are
// replaced by what is said.
func TestUnread(t *testing.T) {
	s, sealer := memstore.New(nil), seal.Ephemeral()
	given := settings.Settings{Policy: lifecycle.Policy{MaxAge: time.Hour}}
	if _, _, err := settings.Agree(t.Context(), s, seal.Ephemeral(), settings.Settings{Policy: lifecycle.Policy{Assume: true}}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := settings.Read(t.Context(), s, sealer); !errors.Is(err, settings.ErrUnread) {
		t.Errorf("Read: %v", err)
	}
	if now, _, err := settings.Agree(t.Context(), s, sealer, given, false); now != given || !errors.Is(err, settings.ErrUnread) {
		t.Errorf("Agree: %+v, %v", now, err)
	}
	if kept, err := settings.Read(t.Context(), s, sealer); kept != given || err != nil {
		t.Errorf("kept is %+v, %v", kept, err)
	}
}

// TestDifferences: a person reads them in the log.
func TestDifferences(t *testing.T) {
	before := settings.Settings{Age: time.Hour}
	now := settings.Settings{Age: 2 * time.Hour, Policy: lifecycle.Policy{Canceled: lifecycle.CanceledUsable, Reinstated: lifecycle.No, Levels: 2}}
	got := fmt.Sprint(settings.Differences(before, now)...)
	want := fmt.Sprint("retention age", "2h0m0s, was 1h0m0s", "canceled", "usable, was invalid", "reinstated", "keeps, was asks", "levels", "2, was 0")
	if got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	now.Policy.Canceled = 99 // of a later version
	if got := fmt.Sprint(settings.Differences(before, now)...); !strings.Contains(got, "unknown to this version, was invalid") {
		t.Errorf("%s", got)
	}
}
