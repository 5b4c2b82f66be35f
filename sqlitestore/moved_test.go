package sqlitestore_test

import (
	"context"
	"database/sql"
	"errors"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/digestkey"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
	"github.com/keyrack-dev/keyrack/store"
)

// moving is a file in which somebody without the sealing key moves sealed values about.
type moving struct {
	*testing.T
	path   string
	ring   *seal.Ring
	mu     sync.Mutex
	alarms []keyrack.Alarm
}

// open opens a Rack on the file.
func (m *moving) open() (*keyrack.Rack, *sqlitestore.Store) {
	m.Helper()
	s := mustOpen(m.T, m.path, nil)
	rack, err := keyrack.Open(m.Context(), s, m.options())
	if err != nil {
		m.Fatal(err)
	}
	return rack, s
}

func (m *moving) options() *keyrack.Options {
	return &keyrack.Options{Sealer: m.ring, Poll: time.Hour, Telemetry: &keyrack.Telemetry{
		Alarmed: func(_ context.Context, a keyrack.Alarm) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.alarms = append(m.alarms, a)
		},
	}}
}

func (m *moving) deliver(rack *keyrack.Rack, e events.Event) store.EntryID {
	m.Helper()
	e.Name = e.Action.String()
	body, err := events.Encode(e)
	if err != nil {
		m.Fatal(err)
	}
	receipt, err := rack.Deliver(m.Context(), body)
	if err != nil {
		m.Fatal(err)
	}
	return receipt.ID
}

func (m *moving) created(rack *keyrack.Rack, id, token string) store.EntryID {
	m.Helper()
	return m.deliver(rack, events.Event{
		Action: lifecycle.IntegrationCreated, Integration: lifecycle.Named{ID: id}, Enterprise: lifecycle.Named{ID: "hotel"},
		AccessToken: lifecycle.NewToken(token), IsEnabled: lifecycle.Yes, CreatedUtc: time.Now(),
	})
}

func end(t *testing.T, rack *keyrack.Rack, s *sqlitestore.Store) {
	t.Helper()
	if err := errors.Join(rack.Close(), s.Close()); err != nil {
		t.Fatal(err)
	}
}

// sealFormerly seals everything as a former version did, which knew the owner alone.
func (m *moving) sealFormerly() {
	m.Helper()
	s := mustOpen(m.T, m.path, nil)
	defer s.Close()
	for ref, err := range s.ScanSealed(m.Context()) {
		if err != nil {
			m.Fatal(err)
		}
		owner := ref.Integration + ref.Name
		switch {
		case !ref.Entry.IsZero():
			owner = ref.Entry.String()
		case ref.Name != "" && ref != digestkey.Ref:
			continue
		}
		value, err := s.Sealed(m.Context(), ref)
		if err != nil {
			m.Fatal(err)
		}
		plain, err := binding.Open(m.ring, ref, value)
		if err != nil {
			m.Fatal(err)
		}
		former, err := m.ring.Seal(plain, owner)
		if err != nil {
			m.Fatal(err)
		}
		if err := s.Reseal(m.Context(), ref, value, former); err != nil {
			m.Fatal(err)
		}
	}
}

// exec changes the file by hand.
func (m *moving) exec(statement string, args ...any) {
	m.Helper()
	db, err := sql.Open("sqlite", "file:"+m.path)
	if err != nil {
		m.Fatal(err)
	}
	defer db.Close()
	result, err := db.Exec(statement, args...)
	if err != nil {
		m.Fatal(err)
	}
	if n, err := result.RowsAffected(); n != 1 || err != nil {
		m.Fatalf("changed %d rows, %v", n, err)
	}
}

// alarmed fails unless there was one alarm, about an integration.
func (m *moving) alarmed(id string) {
	m.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.alarms) != 1 || m.alarms[0] != (keyrack.Alarm{Kind: keyrack.AlarmUnreadable, Integration: id}) {
		m.Errorf("alarms: %v", m.alarms)
	}
}

// found fails unless an examination finds one thing, about an integration.
func (m *moving) found(id, says string) {
	m.Helper()
	s := mustOpen(m.T, m.path, nil)
	defer s.Close()
	n := 0
	for f, err := range atrest.Examine(m.Context(), s, m.ring) {
		if n++; err != nil || f.Integration != id || !strings.Contains(f.Problem, says) {
			m.Errorf("found %+v, %v", f, err)
		}
	}
	if n != 1 {
		m.Errorf("%d findings", n)
	}
}

// TestAMovedSealedValue: sealed values that somebody without the key copies over others
// stand in for nothing, whichever version sealed them. They are never handed out, an alarm
// is raised, and an examination names them.
func TestAMovedSealedValue(t *testing.T) {
	const hotel = "00000000-0000-4000-8000-000000000001"
	for version, former := range map[string]bool{"as it is": false, "of a former version": true} {
		begin := func(t *testing.T) *moving {
			return &moving{T: t, path: filepath.Join(fastDir(t), "keyrack.db"), ring: seal.Ephemeral()}
		}
		age := func(m *moving) {
			if former {
				m.sealFormerly()
			}
		}
		t.Run("a former token over the current one, "+version, func(t *testing.T) {
			m := begin(t)
			rack, s := m.open()
			m.created(rack, hotel, "token-of-yesterday")
			if _, err := rack.Import(t.Context(), keyrack.Import{Integration: lifecycle.Named{ID: hotel}, Token: lifecycle.NewToken("token-of-today"), Enterprise: lifecycle.Named{ID: "hotel"}}); err != nil {
				t.Fatal(err)
			}
			record, _ := rack.Record(hotel)
			key, _ := record.CurrentKey()
			end(t, rack, s)
			age(m)
			m.exec(`UPDATE token SET sealed = (SELECT sealed FROM token WHERE digest <> ?1) WHERE digest = ?1`, key.Digest[:])
			rack, s = m.open()
			defer end(t, rack, s)
			for range 2 {
				if token, v, err := rack.Token(t.Context(), hotel); !token.IsZero() || v.Status != lifecycle.Unknown || err == nil {
					t.Errorf("handed out %d bytes as %v, %v", len(token.Reveal()), v.Status, err)
				}
				if token, v, err := rack.IssueToken(t.Context(), hotel, "key"); !token.IsZero() || v.Status != lifecycle.Unknown || err == nil {
					t.Errorf("issued %d bytes as %v, %v", len(token.Reveal()), v.Status, err)
				}
			}
			m.alarmed(hotel)
			m.found(hotel, key.Digest.String())
		})
		t.Run("a body as a token, "+version, func(t *testing.T) {
			m := begin(t)
			rack, s := m.open()
			entry := m.created(rack, hotel, "token-1")
			m.created(rack, entry.String(), "token-2")
			end(t, rack, s)
			age(m)
			m.exec(`UPDATE token SET sealed = (SELECT b.sealed FROM body b JOIN entry e USING (position) WHERE e.id = ?1)
				WHERE integration = (SELECT number FROM integration WHERE id = ?2)`, entry[:], entry.String())
			rack, s = m.open()
			defer end(t, rack, s)
			if token, v, err := rack.Token(t.Context(), entry.String()); !token.IsZero() || v.Status != lifecycle.Unknown || err == nil {
				t.Errorf("handed out %d bytes as %v, %v", len(token.Reveal()), v.Status, err)
			}
			m.alarmed(entry.String())
			m.found(entry.String(), "a token")
		})
		t.Run("a token as a body, "+version, func(t *testing.T) {
			m := begin(t)
			rack, s := m.open()
			entry := m.created(rack, hotel, "token-1")
			m.created(rack, entry.String(), `"token-2"`) // a token that is JSON
			end(t, rack, s)
			age(m)
			m.exec(`UPDATE body SET sealed = (SELECT t.sealed FROM token t JOIN integration i ON i.number = t.integration WHERE i.id = ?2)
				WHERE position = (SELECT position FROM entry WHERE id = ?1)`, entry[:], entry.String())
			rack, s = m.open()
			defer end(t, rack, s)
			if body, err := rack.Body(t.Context(), entry, true); body != nil || err == nil {
				t.Errorf("shown: %q, %v", body, err)
			}
			m.alarmed("")
			m.found("", "a body does not open")
		})
		t.Run("a token as the key of the digests, "+version, func(t *testing.T) {
			m := begin(t)
			rack, s := m.open()
			m.created(rack, hotel, "token-1")
			m.created(rack, "digest key", "0123456789abcdef0123456789abcdef") // as long as a key
			end(t, rack, s)
			age(m)
			m.exec(`UPDATE secret SET sealed = (SELECT t.sealed FROM token t JOIN integration i ON i.number = t.integration WHERE i.id = ?1)
				WHERE name = ?1`, "digest key")
			s = mustOpen(t, m.path, nil)
			defer s.Close()
			_, err := keyrack.Open(t.Context(), s, m.options())
			if !errors.Is(err, keyrack.ErrSealer) || !strings.Contains(err.Error(), "put it back from a backup") {
				t.Errorf("Open: %v", err)
			}
			m.found("", digestkey.ErrReplaced.Error())
		})
		t.Run("nothing, "+version, func(t *testing.T) {
			m := begin(t)
			rack, s := m.open()
			entry := m.created(rack, hotel, "token-1")
			end(t, rack, s)
			age(m)
			rack, s = m.open()
			defer end(t, rack, s)
			if token, v, err := rack.Token(t.Context(), hotel); token.Reveal() != "token-1" || !v.Active() || err != nil {
				t.Errorf("Token: %v, %v", v, err)
			}
			if body, err := rack.Body(t.Context(), entry, false); err != nil || !strings.Contains(string(body), hotel) {
				t.Errorf("Body: %v", err)
			}
			key, err := s.Sealed(t.Context(), digestkey.Ref)
			if err != nil || binding.Former(key) {
				t.Errorf("the key of the digests is still sealed as by a former version: %v", err)
			}
			if n, err := atrest.Reseal(t.Context(), s, m.ring); err != nil || n != map[bool]int{true: 2}[former] {
				t.Errorf("sealed %d values anew, %v", n, err)
			}
			for f, err := range atrest.Examine(t.Context(), s, m.ring) {
				t.Errorf("found %+v, %v", f, err)
			}
		})
	}
}
