package sqlitestore_test

import (
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// receiver is a Rack at work on a store, as Mews sees it.
type receiver struct {
	t     *testing.T
	rack  *keyrack.Rack
	http  http.Handler
	known map[string]int // deliveries of each integration that were answered 204
	log   strings.Builder
}

var receiverKey = seal.NewKey()

func newReceiver(t *testing.T, s *sqlitestore.Store, known map[string]int) (*receiver, error) {
	t.Helper()
	ring, err := seal.NewRing(receiverKey)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{t: t, known: known}
	options := &keyrack.Options{Sealer: ring, StoreTimeout: time.Second, Logger: slog.New(slog.NewTextHandler(&r.log, nil))}
	if r.rack, err = keyrack.Open(t.Context(), s, options); err != nil {
		return nil, err
	}
	t.Cleanup(func() { r.rack.Close() })
	if r.http, err = r.rack.Handler(nil, &keyrack.HandlerOptions{WithoutSecret: true}); err != nil {
		t.Fatal(err)
	}
	return r, nil
}

// deliver sends the next webhook of integration i and returns its status, which is
// 204 or 503.
func (r *receiver) deliver(i int) int {
	r.t.Helper()
	bodies := webhooks(i)
	id := integrationID(i)
	body := bodies[0]
	if n := r.known[id]; n > 0 {
		body = bodies[1+n%2]
	}
	w := httptest.NewRecorder()
	r.http.ServeHTTP(w, httptest.NewRequest(http.MethodPost, keyrack.DefaultPath, strings.NewReader(body)))
	switch w.Code {
	case http.StatusNoContent:
		r.known[id]++
	case http.StatusServiceUnavailable:
	default:
		r.t.Fatalf("a delivery is answered %d", w.Code)
	}
	return w.Code
}

func integrationID(i int) string {
	return webhooks(i)[1][len(`{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"`):][:36]
}

// kept checks that every delivery that was answered 204 is in the journal, and that
// nothing is half there.
func (r *receiver) kept(s *sqlitestore.Store) {
	r.t.Helper()
	if err := s.Check(r.t.Context()); err != nil {
		r.t.Errorf("Check: %v", err)
	}
	ring, err := seal.NewRing(receiverKey)
	if err != nil {
		r.t.Fatal(err)
	}
	for finding, err := range atrest.Examine(r.t.Context(), s, ring) {
		r.t.Errorf("Examine: %v, %v", finding, err)
	}
	for id, n := range r.known {
		entries := 0
		for _, err := range s.History(r.t.Context(), id, store.EntryID{}) {
			if err != nil {
				r.t.Error(err)
			}
			entries++
		}
		if entries < n {
			r.t.Errorf("%d deliveries were answered 204, %d are in the journal", n, entries)
		}
	}
}

// TestHandlerOnAFailingDisk: while the disk fails Mews is told 503, and never 204;
// questions are answered as before; and once it works, so does the same Rack.
func TestHandlerOnAFailingDisk(t *testing.T) {
	for name, broken := range map[string]struct {
		kind string
		rc   int32
	}{
		"write":     {"write", faults["write"]},
		"full":      {"write", faults["full"]},
		"read only": {"write", 8}, // SQLITE_READONLY
		"sync":      {"sync", faults["sync"]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDisk(t)
			s, err := sqlitestore.New(t.Context(), d.open(t, filepath.Join(fastDir(t), "keyrack.db")), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			r, err := newReceiver(t, s, map[string]int{})
			if err != nil {
				t.Fatal(err)
			}
			for i := range 5 {
				if code := r.deliver(i); code != http.StatusNoContent {
					t.Fatalf("a delivery on a sound disk is answered %d", code)
				}
			}
			token, ok := strings.CutPrefix(webhooks(0)[0], strings.Split(webhooks(0)[0], `"AccessToken":"`)[0]+`"AccessToken":"`)
			token, _, _ = strings.Cut(token, `"`)
			if verdict := r.rack.Check(token); !ok || verdict.Status.String() != "valid" {
				t.Fatalf("the token is %v", verdict.Status)
			}
			for round := range 3 {
				d.fail(func(kind, file string) int32 {
					if kind == broken.kind {
						return broken.rc
					}
					return 0
				})
				for i := range 3 {
					if code := r.deliver(i + round); code != http.StatusServiceUnavailable {
						t.Errorf("a delivery on a broken disk is answered %d", code)
					}
				}
				if verdict := r.rack.Check(token); round == 0 && verdict.Status.String() != "valid" {
					t.Errorf("on a broken disk the token is %v", verdict.Status)
				}
				d.fail(nil)
				for i := range 5 {
					if code := r.deliver(i + round); code != http.StatusNoContent {
						t.Errorf("a delivery once the disk is repaired is answered %d", code)
					}
				}
			}
			r.kept(s)
			if log := r.log.String(); strings.Contains(log, token) || !strings.Contains(log, "delivery not stored") {
				t.Errorf("the log says: %s", log)
			}
		})
	}
}

// TestHandlerOnADamagedFile overwrites each page of a file: the Rack does not open,
// and says why, or each delivery is answered 503, or is there afterwards.
func TestHandlerOnADamagedFile(t *testing.T) {
	path := filepath.Join(fastDir(t), "keyrack.db")
	ctx := t.Context()
	s := mustOpen(t, path, nil)
	r, err := newReceiver(t, s, map[string]int{})
	if err != nil {
		t.Fatal(err)
	}
	const hotels = 12
	for i := range 2 * hotels {
		if code := r.deliver(i % hotels); code != http.StatusNoContent {
			t.Fatalf("a delivery is answered %d", code)
		}
	}
	r.rack.Close()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	sound, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const page = 4096
	refused, unavailable, taken := 0, 0, 0
	for n := range len(sound) / page {
		damaged := append([]byte(nil), sound...)
		for i := range page {
			damaged[n*page+i] = 0xa5
		}
		for _, end := range []string{"-wal", "-shm"} {
			os.Remove(path + end)
		}
		writeFile(t, path, damaged)
		s, err := sqlitestore.Open(ctx, path, nil)
		if err == nil {
			var r *receiver
			if r, err = newReceiver(t, s, map[string]int{}); err == nil {
				for i := range hotels + 3 {
					before := r.known[integrationID(i)]
					if r.deliver(i) == http.StatusServiceUnavailable {
						unavailable++
						continue
					}
					taken++
					if stored, err := s.Load(ctx, integrationID(i)); err != nil || stored.Version <= uint64(before) {
						t.Errorf("page %d: answered 204, and not there: %v", n, err)
					}
				}
				r.rack.Close()
			}
			s.Close()
		}
		if err != nil {
			refused++
			// Without its header a file is not known to have been a database.
			if !errors.Is(err, sqlitestore.ErrCorrupt) && (n != 0 || !errors.Is(err, sqlitestore.ErrForeign)) {
				t.Errorf("page %d: opening says: %v", n, err)
			}
		}
	}
	t.Logf("%d pages: %d files not opened; of the others' deliveries %d answered 503, %d taken", len(sound)/page, refused, unavailable, taken)
	if refused == 0 || unavailable == 0 || taken == 0 {
		t.Error("damage makes no difference: this proved nothing")
	}
}
