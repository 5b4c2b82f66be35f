package keyrack_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/binding"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

const (
	spelledID    = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01"
	spelledHotel = "8865aa96-f62d-4f9b-a912-ab2100f60f42"
)

// respelled is a store as a former version would have left it, had Mews and a person
// spelled identifiers as they liked.
type respelled struct {
	t    *testing.T
	mem  *memstore.Store
	ring seal.Sealer
}

// newRespelled copies the journal of a store, entry by entry, each under the spelling that
// spell gives it.
func newRespelled(t *testing.T, from *memstore.Store, ring seal.Sealer, spell func(n int, e *lifecycle.Evidence)) *respelled {
	t.Helper()
	s := &respelled{t, memstore.New(nil), ring}
	key, err := from.Sealed(t.Context(), store.Ref{Name: "digest key"})
	if err == nil {
		err = s.mem.Reseal(t.Context(), store.Ref{Name: "digest key"}, nil, key)
	}
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for e, err := range from.Journal(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		var token []byte
		if sealed, err := from.Sealed(t.Context(), store.Ref{Integration: e.Integration, Digest: evidence.Token}); err == nil {
			if token, err = binding.Open(ring, store.Ref{Integration: e.Integration, Digest: evidence.Token}, sealed); err != nil {
				t.Fatal(err)
			}
		}
		spell(n, &evidence)
		s.take(evidence, token)
		n++
	}
	return s
}

// take takes evidence in as a former version did.
func (s *respelled) take(e lifecycle.Evidence, token []byte) {
	s.t.Helper()
	spelling := e.Integration.ID
	base := lifecycle.Record{ID: spelling}
	stored, err := s.mem.Load(context.Background(), spelling)
	if err == nil {
		base, err = lifecycle.ParseRecord(stored.Record)
	} else if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	if err != nil {
		s.t.Fatal(err)
	}
	next, d := base.Apply(e)
	c := store.Commit{
		Entry: store.Entry{
			ID: store.NewEntryID(e.At.Time()), Integration: spelling, Version: next.Version, At: e.At, Evidence: lifecycle.AppendEvidence(nil, e),
			Decision: entry.Judgement{Decision: d}.Append(nil),
		},
		Expect: base.Version, Record: lifecycle.AppendRecord(nil, next),
	}
	for _, k := range next.Keys {
		if _, known := base.Key(k.Digest); !known {
			claim := store.Claim{Digest: k.Digest}
			if token != nil { // else it was erased since
				sealed, err := s.ring.Seal(token, spelling)
				if err != nil {
					s.t.Fatal(err)
				}
				claim.Sealed = sealed
			}
			c.Claim = append(c.Claim, claim)
		}
	}
	if _, err := s.mem.Commit(context.Background(), c); err != nil {
		s.t.Fatal(err)
	}
}

// TestStoreWithTwoSpellings: a store that holds one identifier in two spellings answers,
// once it is opened, as one that never did.
func TestStoreWithTwoSpellings(t *testing.T) {
	bodies := []string{
		`{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-1","IsEnabled":true,"Enterprise":{"Id":"` + spelledHotel + `"},"Integration":{"Id":"` + spelledID + `"}}}`,
		`{"Action":"IntegrationDisabled","Data":{"Integration":{"Id":"` + spelledID + `"}}}`,
		`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"` + spelledID + `"}}}`,
		`{"Action":"IntegrationApiKeyCreated","Data":{"ApiKey":"TOKEN-2","Integration":{"Id":"` + spelledID + `"}}}`,
		`{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-3","IsEnabled":true,"Enterprise":{"Id":"` + spelledHotel + `"},"Integration":{"Id":"other"}}}`,
		`{"Action":"IntegrationDeleted","Data":{"Integration":{"Id":"` + spelledID + `"}}}`,
	}
	for last := 1; last <= len(bodies); last++ {
		synctest.Test(t, func(t *testing.T) {
			ring, options := seal.Ephemeral(), keyrack.Options{}
			options.Sealer = ring
			plain := memstore.New(nil)
			want := openOn(t, plain, &options)
			for _, body := range bodies[:last] {
				time.Sleep(time.Hour)
				if _, err := want.Deliver(t.Context(), []byte(body)); err != nil {
					t.Fatal(err)
				}
			}
			s := newRespelled(t, plain, ring, func(n int, e *lifecycle.Evidence) {
				if n%2 == 0 && e.Integration.ID == spelledID {
					e.Integration.ID = "{" + strings.ToUpper(spelledID) + "}"
				}
				e.Enterprise.ID = strings.ToUpper(e.Enterprise.ID)
			})
			got := openOn(t, s.mem, &options)
			another := openOn(t, s.mem, &options)
			for _, r := range []*keyrack.Rack{got, another} {
				sameAnswers(t, want, r)
			}
			if n := len(historyOf(t, got, spelledID)); n < last-1 {
				t.Errorf("the history has %d entries", n)
			}
			for _, spelling := range []string{spelledID, strings.ToUpper(spelledID)} {
				for _, c := range historyOf(t, got, spelling) {
					if c.Integration != spelledID {
						t.Errorf("the history is that of %q", c.Integration)
					}
				}
			}
			for f, err := range atrest.Examine(t.Context(), s.mem, ring) {
				t.Errorf("%v, %v", f, err)
			}
			position, err := got.JournalEnd(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			openOn(t, s.mem, &options)
			if again, err := got.JournalEnd(t.Context()); err != nil || again != position {
				t.Errorf("opening once more wrote %d entries, %v", again-position, err)
			}
		})
	}
}

// TestJoinIsNoNews: a spelling that is left is no change of the integration's status, state
// or token, and a token that only another spelling had is one.
func TestJoinIsNoNews(t *testing.T) {
	for _, under := range []string{spelledID, strings.ToUpper(spelledID)} {
		synctest.Test(t, func(t *testing.T) {
			ring := seal.Ephemeral()
			s := &respelled{t, memstore.New(nil), ring}
			e := lifecycle.Evidence{
				Kind: lifecycle.KindImport, At: lifecycle.At(time.Now()), IsEnabled: lifecycle.Yes, Token: lifecycle.Digest{1},
				Integration: lifecycle.Named{ID: under},
			}
			s.take(e, nil)
			e = lifecycle.Evidence{
				Kind: lifecycle.KindDelivery, Action: lifecycle.IntegrationDisabled, At: lifecycle.At(time.Now()),
				Integration: lifecycle.Named{ID: "{" + spelledID + "}"},
			}
			s.take(e, nil)
			r := openOn(t, s.mem, &keyrack.Options{Sealer: ring})
			var joins, left int
			for _, c := range historyOf(t, r, spelledID) {
				if c.Evidence.Kind != lifecycle.KindJoin {
					continue
				}
				joins++
				if c.Evidence.Owner == "" {
					if want := under != spelledID; c.Has(keyrack.ChangeToken) != want {
						t.Errorf("joined from %s: another token is %v, %v", under, !want, c)
					}
					continue
				}
				left++
				for _, kind := range []keyrack.ChangeKind{keyrack.ChangeStatus, keyrack.ChangeState, keyrack.ChangeToken, keyrack.ChangeAlarm} {
					if c.Has(kind) {
						t.Errorf("leaving a spelling is a change of the %s: %v", kind, c)
					}
				}
			}
			if joins < 2 || left == 0 {
				t.Errorf("%d joins, %d spellings left", joins, left)
			}
		})
	}
}

// TestFormerVersionBeside: what an instance of a former version takes in under another
// spelling is joined by those that run beside it, and forgetting reaches it.
func TestFormerVersionBeside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ring := seal.Ephemeral()
		options := keyrack.Options{Sealer: ring}
		s := &respelled{t, memstore.New(nil), ring}
		r := openOn(t, s.mem, &options)
		deliverTo := func(body string) {
			t.Helper()
			if _, err := r.Deliver(t.Context(), []byte(body)); err != nil {
				t.Fatal(err)
			}
		}
		deliverTo(`{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-1","IsEnabled":true,"Integration":{"Id":"` + spelledID + `"}}}`)
		time.Sleep(time.Hour)
		s.take(lifecycle.Evidence{
			Kind: lifecycle.KindDelivery, Action: lifecycle.IntegrationDisabled, At: lifecycle.At(time.Now()),
			Integration: lifecycle.Named{ID: strings.ToUpper(spelledID)},
		}, nil)
		time.Sleep(time.Minute)
		if v := r.Check("TOKEN-1"); v.Reason != lifecycle.ReasonDisabled || v.Integration != spelledID {
			t.Errorf("the other's webhook is not known: %v", v)
		}
		if r.Len() != 1 {
			t.Errorf("%d integrations", r.Len())
		}
		deliverTo(`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"` + spelledID + `"}}}`)
		time.Sleep(time.Hour)
		if v := r.Check("TOKEN-1"); !v.Active() {
			t.Errorf("enabled again, it is %v", v)
		}
		if _, err := r.Forget(t.Context(), spelledID); err != nil {
			t.Fatal(err)
		}
		left := 0
		for e, err := range s.mem.Journal(t.Context(), 0) {
			if evidence, parseErr := lifecycle.ParseEvidence(e.Evidence); err != nil || parseErr != nil || evidence.Kind != lifecycle.KindForget {
				t.Errorf("left is %v %v, %v", e.Integration, evidence.Kind, err)
			}
			left++
		}
		if left != 2 {
			t.Errorf("%d entries are left", left)
		}
	})
}

// TestEnterpriseInCapitals: an enterprise that a former version kept in another spelling
// is no other enterprise.
func TestEnterpriseInCapitals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var alarms []keyrack.Alarm
		ring := seal.Ephemeral()
		s := &respelled{t, memstore.New(nil), ring}
		e := lifecycle.Evidence{
			Kind: lifecycle.KindImport, At: lifecycle.At(time.Now()), IsEnabled: lifecycle.Yes, Token: lifecycle.Digest{1},
			Integration: lifecycle.Named{ID: "A"}, Enterprise: lifecycle.Named{ID: strings.ToUpper(spelledHotel)},
		}
		s.take(e, []byte("TOKEN-1"))
		r := openOn(t, s.mem, &keyrack.Options{Sealer: ring, Telemetry: &keyrack.Telemetry{
			Alarmed: func(_ context.Context, a keyrack.Alarm) { alarms = append(alarms, a) },
		}})
		if records := r.Enterprise(spelledHotel); len(records) != 1 || records[0].Enterprise.ID != spelledHotel {
			t.Errorf("the hotel has %d", len(records))
		}
		receipt, err := r.Deliver(t.Context(), []byte(`{"Action":"IntegrationCreated","Data":{"AccessToken":"TOKEN-2","IsEnabled":true,"Enterprise":{"Id":"`+
			spelledHotel+`"},"Integration":{"Id":"A"}}}`))
		if err != nil || receipt.Decision.Cause == "another enterprise" {
			t.Errorf("%v, %v", receipt.Decision, err)
		}
		for _, a := range alarms {
			if a.Cause == "another enterprise" {
				t.Errorf("alarm %v", a)
			}
		}
	})
}

func openOn(t *testing.T, s store.Store, options *keyrack.Options) *keyrack.Rack {
	t.Helper()
	r, err := keyrack.Open(t.Context(), s, options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func historyOf(t *testing.T, r *keyrack.Rack, id string) (all []keyrack.Change) {
	t.Helper()
	for c, err := range r.History(t.Context(), id) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// sameAnswers compares everything that two Racks answer.
func sameAnswers(t *testing.T, want, got *keyrack.Rack) {
	t.Helper()
	for _, token := range []string{"TOKEN-1", "TOKEN-2", "TOKEN-3"} {
		if diff := cmp.Diff(want.Check(token), got.Check(token)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", token, diff)
		}
	}
	for record := range want.Integrations() {
		token, v, err := want.Token(t.Context(), record.ID)
		gotToken, gotV, gotErr := got.Token(t.Context(), record.ID)
		if !token.Equal(gotToken) || (err == nil) != (gotErr == nil) || v.Status != gotV.Status {
			t.Errorf("%s: the token is another one: %v, %v", record.ID, gotV, gotErr)
		}
	}
	if want.Len() != got.Len() || len(want.Enterprise(spelledHotel)) != len(got.Enterprise(spelledHotel)) {
		t.Errorf("%d integrations, not %d", got.Len(), want.Len())
	}
}
