package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
)

// A Rack runs one subscription of a name, and none once it is closed. Its questions
// are answered all the same.
func TestClosedRackAnswersAndStartsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		b := bench{T: t, Rack: rack}
		b.deliver(creation("a", "k", lifecycle.Yes))
		subscribe := func(name string) error {
			return b.Subscribe(name, func(context.Context, keyrack.Change) error { return nil }, nil)
		}
		if err := subscribe("one"); err != nil {
			t.Fatal(err)
		}
		if err := subscribe("one"); !errors.Is(err, keyrack.ErrInvalid) {
			t.Errorf("a second subscription of the same name: %v", err)
		}
		for range 2 {
			if err := b.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		}
		for _, name := range []string{"one", "another"} {
			if err := subscribe(name); !errors.Is(err, keyrack.ErrClosed) {
				t.Errorf("a subscription %q on a closed Rack: %v", name, err)
			}
		}
		b.is("k", lifecycle.Valid, lifecycle.ReasonLive)
	})
}

// TestFull: anyone with the secret can make integrations up, but not without end. What is
// known goes on, what a person brings is taken in, and a person is told, again and again but
// not at each delivery. Once there is room, what was refused is taken in when it is sent again.
func TestFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		alarms := make(chan keyrack.AlarmKind, 100)
		mem := memstore.New(nil)
		r, err := keyrack.Open(context.Background(), mem, &keyrack.Options{
			MaxIntegrations: 3,
			Telemetry:       &keyrack.Telemetry{Alarmed: func(_ context.Context, a keyrack.Alarm) { alarms <- a.Kind }},
		})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		h, err := r.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true})
		if err != nil {
			t.Fatal(err)
		}
		answers := func(body []byte, want int) {
			t.Helper()
			if status := post(h, body); status != want {
				t.Errorf("answered %d, want %d", status, want)
			}
			synctest.Wait()
		}
		for _, name := range []string{"a", "b", "c"} {
			answers(creation(name, "key of "+name, lifecycle.Yes), http.StatusNoContent)
		}
		_, before, _ := mem.Bounds(context.Background())
		junk := creation("junk", "key of junk", lifecycle.Yes)
		nameless := []byte(`{"Action":"IntegrationCreated","Data":{"AccessToken":"key of nobody"}}`)
		for _, body := range [][]byte{junk, junk, webhook(lifecycle.IntegrationEnabled, "other", nil)} {
			if _, err := r.Deliver(context.Background(), body); !errors.Is(err, keyrack.ErrFull) {
				t.Errorf("a delivery about a new integration: %v", err)
			}
			answers(body, http.StatusServiceUnavailable)
		}
		if _, err := r.Deliver(context.Background(), nameless); err != nil && !errors.Is(err, keyrack.ErrFull) {
			t.Errorf("a delivery that names none: %v", err)
		}
		if n := len(slices.Collect(r.Integrations())); n != 3 {
			t.Errorf("there are %d integrations", n)
		}
		if _, after, _ := mem.Bounds(context.Background()); after != before && after != before+1 {
			t.Errorf("%d entries of what was refused", after-before)
		}
		if counts, _ := h.Refused(); counts[keyrack.RefusedFull] != 3 {
			t.Errorf("refused: %v", counts)
		}
		if full := count(alarms, keyrack.AlarmFull); full != 1 {
			t.Errorf("%d alarms within a moment", full)
		}
		time.Sleep(11 * time.Minute)
		answers(junk, http.StatusServiceUnavailable)
		if full := count(alarms, keyrack.AlarmFull); full != 1 {
			t.Errorf("%d alarms later", full)
		}
		answers(webhook(lifecycle.IntegrationDisabled, "a", nil), http.StatusNoContent)
		answers(rotation("b", "next key of b"), http.StatusNoContent)
		answers(webhook(lifecycle.IntegrationDeleted, "c", nil), http.StatusNoContent)
		if _, err := r.Import(context.Background(), keyrack.Import{Integration: lifecycle.Named{ID: integrationID("d")}, Token: lifecycle.NewToken("key-of-d")}); err != nil {
			t.Errorf("what a person brings: %v", err)
		}
		if _, err := r.Connect(context.Background(), keyrack.Connection{Token: lifecycle.NewToken(tokenText("key of e"))}); err != nil {
			t.Errorf("what a person connects: %v", err)
		}
		answers(creation("e", "key of e", lifecycle.Yes), http.StatusNoContent)
		answers(creation("f", "key of e", lifecycle.Yes), http.StatusServiceUnavailable)
		for _, name := range []string{"a", "d", "e"} {
			if _, err := r.Forget(context.Background(), integrationID(name)); err != nil {
				t.Fatal(err)
			}
		}
		answers(junk, http.StatusNoContent)
		answers(webhook(lifecycle.IntegrationEnabled, "other", nil), http.StatusServiceUnavailable)
	})
}

// count empties a channel of alarms, and returns how many were of a kind.
func count(alarms <-chan keyrack.AlarmKind, kind keyrack.AlarmKind) (n int) {
	for {
		select {
		case a := <-alarms:
			if a == kind {
				n++
			}
		default:
			return n
		}
	}
}

// TestNoBound: a negative bound is none, and by default there is room for every hotel.
func TestNoBound(t *testing.T) {
	for _, most := range []int{-1, 0} {
		r, err := keyrack.Open(t.Context(), memstore.New(&memstore.Options{JournalLimit: 100}), &keyrack.Options{MaxIntegrations: most})
		if err != nil {
			t.Fatal(err)
		}
		for n := range 200 {
			if _, err := r.Deliver(t.Context(), webhook(lifecycle.IntegrationEnabled, fmt.Sprint(n), nil)); err != nil {
				t.Fatalf("a bound of %d: %v", most, err)
			}
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}
