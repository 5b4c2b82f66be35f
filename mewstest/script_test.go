package mewstest_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// TestScript: in a script's mode nothing moves but by the script, and faults do not
// touch it.
func TestScript(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		mews := mewstest.New(&mewstest.Options{Receiver: keys, Manual: true, Faults: mewstest.Hostile()})
		hotel := mews.Connect("Alpenrose")
		created := hotel.Latest()
		off, on := hotel.Disable(), hotel.Enable()
		key := hotel.RotateKey()
		time.Sleep(24 * time.Hour)
		if err := mews.Settle(t.Context()); err != nil || len(keys.got()) != 0 || len(mews.Held()) != 4 {
			t.Fatalf("%v: sent by itself: %v, %d held", err, keys.got(), len(mews.Held()))
		}
		for _, m := range []*mewstest.Message{on, created, off, on, on} {
			if a := m.Deliver(); !a.Delivered() {
				t.Errorf("%s: %s", m, a)
			}
		}
		want := []string{"IntegrationEnabled", "IntegrationCreated", "IntegrationDisabled", "IntegrationEnabled", "IntegrationEnabled"}
		if got := keys.got(); !slices.Equal(got, want) {
			t.Errorf("got %v", got)
		}
		if keys.requests[0].body != keys.requests[4].body {
			t.Error("a repetition differs")
		}
		key.Drop()
		if len(mews.Held()) != 0 || hotel.Latest() != nil {
			t.Errorf("still there: %v, %v", mews.Held(), hotel.Latest())
		}
		key.Drop()
		key.Hold()
		key.Release() // what is over is over
		hotel.Cancel()
		mews.SetFaults(mewstest.Faults{})
		mews.Release()
		hotel.Delete()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		want = append(want, "IntegrationCanceled", "IntegrationDeleted")
		if got := keys.got(); len(got) != len(want) || !slices.Contains(got, want[5]) || !slices.Contains(got, want[6]) {
			t.Errorf("got %v", got)
		}
		for n, e := range mews.Log() {
			if e.Kind == mewstest.Lost && e.What != "IntegrationApiKeyCreated" {
				t.Errorf("entry %d: %s", n, e)
			}
		}
	})
}

// TestIntervene: a script can take single messages off a channel that is alive.
func TestIntervene(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		mews := mewstest.New(&mewstest.Options{Receiver: keys})
		hotel := mews.Connect("Alpenrose")
		hotel.Disable().Drop()
		hotel.Enable().Deliver()
		late := hotel.Cancel()
		late.Hold()
		hotel.Delete()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := keys.got(); !slices.Equal(got, []string{"IntegrationEnabled", "IntegrationCreated", "IntegrationDeleted"}) {
			t.Errorf("got %v", got)
		}
		late.Release()
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := keys.got(); len(got) != 4 || got[3] != "IntegrationCanceled" {
			t.Errorf("got %v", got)
		}
	})
}

// TestNothingToTell: acts that change nothing, or that Mews does not report, return
// nil, and a script can go on with it.
func TestNothingToTell(t *testing.T) {
	mews := mewstest.New(&mewstest.Options{Manual: true})
	hotel := mews.Connect("Alpenrose")
	changes := mews.Stats().Changes
	m := hotel.Enable()
	if m != nil || hotel.Reinstate() != nil || hotel.EnableInMews() != nil || mews.Stats().Changes != changes {
		t.Error("nothing changed, and yet")
	}
	m.Hold()
	m.Drop()
	m.Release()
	if m.Deliver() != (mewstest.Reply{}) || m.Body() != nil || m.Action() != "" || m.String() != "no message" {
		t.Error("nil does something")
	}
	if hotel.DisableInMews() != nil || hotel.Works() {
		t.Error("disabled in Mews: it tells, or works")
	}
	hotel.EnableInMews()
	hotel.Delete()
	if hotel.Enable() != nil || hotel.RotateKey() != nil || hotel.DisableInMews() != nil || hotel.Delete() != nil || !hotel.Deleted() {
		t.Error("something happens to what was deleted")
	}
}

// TestForge: what never happened comes like what did, and the truth does not move.
func TestForge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		mews := mewstest.New(&mewstest.Options{Receiver: keys})
		hotel := mews.Connect("Alpenrose")
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		m := mews.Forge(events.Event{
			Action: lifecycle.IntegrationDeleted, Integration: lifecycle.Named{ID: hotel.ID(), Name: hotel.Name()},
		})
		if err := mews.Settle(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !hotel.Works() || keys.Status(hotel.Token()) != lifecycle.Invalid || m.String() != "IntegrationDeleted (forged 1 of integration 1)" {
			t.Errorf("%s: works %t, said %s", m, hotel.Works(), keys.Status(hotel.Token()))
		}
		if a := mews.ForgeBody([]byte("not JSON")).Deliver(); a.Status != http.StatusBadRequest {
			t.Errorf("%+v", a)
		}
	})
}

// TestFormats: no exported type shows a token or a body, however it is formatted.
func TestFormats(t *testing.T) {
	secret, client := "the secret of the URL", "the token of the client"
	mews := mewstest.New(&mewstest.Options{
		Receiver: newNaive(), Manual: true, KeepBodies: true,
		Secret: lifecycle.NewToken(secret), ClientToken: lifecycle.NewToken(client),
	})
	hotel := mews.ConnectAs(mewstest.Connection{Hotel: "A", Requestor: events.NewRequestor("Renée Quill", "r@hotel.example")})
	m := hotel.Latest()
	m.Deliver()
	former := hotel.Token()
	hotel.RotateKey().Deliver()
	var differences []mewstest.Difference
	for d := range mews.Differences(func(string) lifecycle.Status { return lifecycle.Valid }) {
		differences = append(differences, d)
	}
	sender := mewstest.Sender{Secret: lifecycle.NewToken(secret), URL: "http://receiver.test"}
	for _, v := range []any{mews, hotel, hotel.Enterprise(), m, mews.Connector(), mews.Log(), mews.Stats(), differences, sender, &sender, *m} {
		var texts []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			texts = append(texts, fmt.Sprintf(verb, v))
		}
		asJSON, _ := json.Marshal(v)
		var asGob bytes.Buffer
		_ = gob.NewEncoder(&asGob).Encode(v)
		texts = append(texts, string(asJSON), asGob.String())
		for _, text := range texts {
			for _, hidden := range []string{secret, client, former, hotel.Token(), "Quill", "r@hotel", fmt.Sprintf("%x", secret)} {
				if strings.Contains(text, hidden) {
					t.Errorf("%s shows %q: %.200s", reflect.TypeOf(v), hidden, text)
				}
			}
		}
	}
}
