package console_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// TestTroubleIsShown: while Mews refuses everything, the overview says so and leads to the
// verdicts that stay as they were, and each of them is marked.
func TestTroubleIsShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := new(answering)
		d := newDeskAsking(t, mews, nil)
		defer d.close()
		for n := range 4 {
			d.deliver(created(n, ordinary))
		}
		time.Sleep(time.Hour)
		pages := func() (all []string) {
			for _, path := range []string{"/", "/integrations", "/integration?id=" + id(1, 2)} {
				all = append(all, d.get(path).Body.String())
			}
			return all
		}
		for _, page := range pages() {
			if strings.Contains(page, "trouble") {
				t.Errorf("there is trouble\n%s", page)
			}
		}
		mews.refuses.Store(true)
		for n := range 4 {
			if _, err := d.rack.Probe(context.Background(), id(1, n), "desk"); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Minute)
		}
		time.Sleep(10 * time.Minute)
		for _, page := range pages() {
			shape(t, page)
			if !strings.Contains(page, "trouble") {
				t.Errorf("there is no trouble\n%s", page)
			}
		}
		if page := d.get("/integrations?trouble=yes").Body.String(); !strings.Contains(page, `<span class="badge valid">valid</span> live <span class="badge alarm">trouble</span>`) {
			t.Errorf("nothing is marked\n%s", page)
		}
		mews.refuses.Store(false)
		time.Sleep(time.Hour)
		if page := d.get("/integrations?trouble=yes").Body.String(); !strings.Contains(page, ">0 integrations") {
			t.Errorf("the trouble is not over\n%s", page)
		}
	})
}

// TestOrphansByTheStoresHorizon: what counts as never announced goes by the horizon that lies in
// the store, though another instance set it.
func TestOrphansByTheStoresHorizon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory, sealer := memstore.New(nil), seal.Ephemeral()
		first, err := keyrack.Open(context.Background(), memory, &keyrack.Options{Sealer: sealer, Horizon: 2 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		if err := first.Close(); err != nil {
			t.Fatal(err)
		}
		d := newDeskOn(t, memory, keyrack.Options{Sealer: sealer}, nil)
		defer d.close()
		d.deliver(later("IntegrationEnabled", 1))
		for _, wants := range []bool{false, true} {
			time.Sleep(61 * time.Minute)
			if page := d.get("/").Body.String(); strings.Contains(page, "never announced") != wants {
				t.Errorf("never announced is not %v\n%s", wants, page)
			}
		}
	})
}

// TestMissingPermission: an operation that answers 401 while the token works is named on the
// page of the integration for a day, and its 401s are counted on the overview.
func TestMissingPermission(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDeskAsking(t, new(answering), nil)
		defer d.close()
		d.deliver(created(1, ordinary), created(2, ordinary))
		time.Sleep(time.Hour)
		for range 3 {
			report := keyrack.Report{Token: keyrack.NewToken(tokenCanary + "1"), Status: http.StatusUnauthorized, Operation: "reservations/getAll"}
			if _, err := d.rack.Report(context.Background(), report); err != nil {
				t.Fatal(err)
			}
			time.Sleep(10 * time.Minute)
		}
		one := "/integration?id=" + id(1, 1)
		if page := d.get(one).Body.String(); !strings.Contains(page, "No permission</dt><dd><div><code>reservations/getAll</code>") {
			t.Errorf("the operation is not named\n%s", page)
		}
		if page := d.get("/").Body.String(); !strings.Contains(page, "2 since the start were refused for lack of a permission") {
			t.Errorf("its calls are not counted\n%s", page)
		}
		time.Sleep(25 * time.Hour)
		if page := d.get(one).Body.String(); strings.Contains(page, "No permission") {
			t.Error("the operation is named after a day")
		}
	})
}
