package sqlitestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// webhooks returns the bodies of the life of integration i so far: it was created,
// disabled and enabled.
func webhooks(i int) []string {
	id := fmt.Sprintf("%08x-e974-4d4f-9662-ab2200f27cb1", i*2654435761%(1<<32))
	integration := fmt.Sprintf(`"Integration":{"Id":"%s","Name":"Front desk %d"}`, id, i)
	return []string{
		fmt.Sprintf(`{"Action":"IntegrationCreated","Data":{"Enterprise":{"Id":"%s","Name":"Sample Chain Hotel %d"},`+
			`"Service":{"Id":"%s","Name":"Accommodation"},"Requestor":{"Name":"R. Quill","Email":"r.quill@hotel.example"},`+
			`"AccessToken":"%s-%031X","CreatedUtc":"2019-12-13T14:42:52Z","IsEnabled":true,%s}}`,
			id, i, id, strings.ToUpper(strings.ReplaceAll(id, "-", "")), i, integration),
		fmt.Sprintf(`{"Action":"IntegrationDisabled","Data":{%s}}`, integration),
		fmt.Sprintf(`{"Action":"IntegrationEnabled","Data":{%s}}`, integration),
	}
}

// deliveries has a Rack take in the webhooks of n integrations.
func deliveries(t testing.TB, s *sqlitestore.Store, n int) {
	rack, err := keyrack.Open(t.Context(), s, &keyrack.Options{Sealer: seal.Ephemeral()})
	if err != nil {
		t.Fatal(err)
	}
	defer rack.Close()
	var wg sync.WaitGroup
	const workers = 16
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				for _, body := range webhooks(i) {
					if _, err := rack.Deliver(context.Background(), []byte(body)); err != nil {
						t.Errorf("Deliver: %v", err)
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// TestSize says how many bytes on disk an integration takes, with three deliveries.
func TestSize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keyrack.db")
	s, err := sqlitestore.Open(t.Context(), path, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const n = 500
	deliveries(t, s, n)
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	all := info.Size() / n
	for stored, err := range s.Scan(t.Context(), "") {
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Trim(t.Context(), stored.Integration, stored.Version, stored.Record); err != nil {
			t.Fatal(err)
		}
	}
	stats, err := s.Stats(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if stats.Integrations != n || stats.Entries != 0 || stats.Tokens != n {
		t.Errorf("Stats: %+v", stats)
	}
	trimmed := (stats.Bytes - stats.FreeBytes) / n
	t.Logf("bytes on disk per integration: %d with three deliveries, %d of them without its journal", all, trimmed)
	if all > 8<<10 || trimmed > 4<<10 {
		t.Error("that is too much")
	}
}
