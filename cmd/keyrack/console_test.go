package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// TestConsoleOverSQLite: half of all requests for the page of one integration are answered
// within 30 ms over SQLite, whichever integration it is. With KEYRACK_LONG there are a
// hundred thousand of them, with ten entries each, and the time counts; by default there are
// 300, and every page has to be right.
func TestConsoleOverSQLite(t *testing.T) {
	integrations, long := 300, os.Getenv("KEYRACK_LONG") != ""
	if long {
		integrations = 100_000
	}
	store, err := sqlitestore.Open(t.Context(), filepath.Join(t.TempDir(), "k.db"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	rack, err := keyrack.Open(t.Context(), store, &keyrack.Options{Sealer: seal.Ephemeral()})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	id := func(n int) string { return testkit.ID("integration", fmt.Sprint(n)) }
	deliver := func(action string, data map[string]any) {
		body, err := json.Marshal(map[string]any{"Action": action, "Data": data})
		if err == nil {
			_, err = rack.Deliver(context.Background(), body)
		}
		if err != nil {
			t.Error(err)
		}
	}
	var writers sync.WaitGroup // deliveries that come together share a sync
	const writing = 64
	for w := range writing {
		writers.Go(func() {
			for n := w; n < integrations; n += writing {
				deliver("IntegrationCreated", map[string]any{
					"Integration": map[string]string{"Id": id(n), "Name": "Channel"}, "Enterprise": map[string]string{"Id": testkit.ID("enterprise", fmt.Sprint(n)), "Name": fmt.Sprint("Hotel ", n)},
					"AccessToken": fmt.Sprint("a-token-of-tests-", n), "IsEnabled": true,
				})
				for i := range 9 {
					deliver([]string{"IntegrationDisabled", "IntegrationEnabled"}[i%2], map[string]any{"Integration": map[string]string{"Id": id(n)}})
				}
			}
		})
	}
	writers.Wait()
	page := console.New(rack, nil)
	defer page.Close()
	var took []time.Duration
	for i := range 101 {
		n := i * 7919 % integrations // anywhere in the file
		req := httptest.NewRequest(http.MethodGet, "/integration?id="+id(n), nil)
		w := httptest.NewRecorder()
		began := time.Now()
		page.ServeHTTP(w, req)
		took = append(took, time.Since(began))
		if w.Code != http.StatusOK {
			t.Fatalf("hotel %d: %d", n, w.Code)
		}
	}
	slices.Sort(took)
	half := took[len(took)/2]
	t.Logf("%d integrations: half within %v, nine of ten within %v", integrations, half, took[len(took)*9/10])
	if long && half > 30*time.Millisecond {
		t.Errorf("half within %v", half)
	}
}
