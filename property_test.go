package keyrack_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// What must hold whatever arrives, in whatever order, how often, and however the
// store behaves meanwhile.

var (
	fleet  = []string{"A", "B", "C"}
	rings  = []string{"k1", "k2", "k3", "k4", "k5"}
	hotels = []string{"H", "other"}
)

// anyBody draws a delivery that need not make any sense.
func anyBody(t *rapid.T) (integration string, body []byte) {
	about := rapid.SampledFrom(fleet).Draw(t, "integration")
	token := rapid.SampledFrom(rings).Draw(t, "token")
	switch action := rapid.SampledFrom(append(lifecycle.Actions(), lifecycle.ActionUnknown)).Draw(t, "action"); action {
	case lifecycle.ActionUnknown:
		return "", []byte(rapid.SampledFrom([]string{`{}`, `[1]`, `{"Action":"IntegrationMoved"}`}).Draw(t, "odd"))
	case lifecycle.IntegrationCreated:
		return about, creation(about, token, rapid.SampledFrom([]lifecycle.Flag{lifecycle.Yes, lifecycle.No, lifecycle.Unset}).Draw(t, "on"),
			atHotel(rapid.SampledFrom([]string{"H", "H", "H", "other"}).Draw(t, "hotel")),
			bornAt(rapid.SampledFrom([]time.Time{birthday, birthday, {}, birthday.Add(day)}).Draw(t, "born")))
	case lifecycle.IntegrationDeleted:
		return about, deletion(about, rapid.SampledFrom([]time.Time{{}, birthday.Add(hour), birthday.Add(-hour)}).Draw(t, "died"))
	case lifecycle.IntegrationApiKeyCreated:
		return about, rotation(about, token)
	default:
		return about, webhook(action, about, nil)
	}
}

func someFaults() *rapid.Generator[[]fault] {
	return rapid.SliceOfN(rapid.Map(rapid.IntRange(0, int(numFaults)-1), func(n int) fault { return fault(n) }), 0, 5)
}

// Whatever arrives and however the store fails: a 2xx is in the journal, an error
// is there at most once, records are the fold of it, a token has one owner, an
// enterprise never changes, one integration's evidence touches no other's record,
// a tombstone stands, no Rack is ahead of the store, Check is what the records
// say, and a Rack that opens the store afterwards answers the same.
func TestJournalFoldsToRecord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, storm) })
}

func storm(t *rapid.T) {
	s := newCluster(t, keyrack.Options{
		Horizon: 3 * minute,
		Policy:  keyrack.Policy{Grace: rapid.SampledFrom([]time.Duration{0, minute}).Draw(t, "grace")},
	})
	defer s.close()
	var bodies [][]byte
	var abouts []string
	enterprises := map[string]string{}
	buried := map[string]bool{}
	before, entriesBefore := s.stored()
	for range rapid.IntRange(1, 25).Draw(t, "steps") {
		i := rapid.IntRange(0, 1).Draw(t, "instance")
		time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, time.Second, minute, 4 * minute}).Draw(t, "pause"))
		s.store.fail(someFaults().Draw(t, "faults")...)

		var receipt keyrack.Receipt
		var about string
		var stored, buries, reopens bool
		switch what := rapid.IntRange(0, 9).Draw(t, "what"); {
		case what == 0: // the application saw an answer
			status := rapid.SampledFrom([]int{200, 401}).Draw(t, "status")
			token := rapid.SampledFrom(rings).Draw(t, "token")
			about = s.racks[i].Check(tokenText(token)).Integration
			var err error
			receipt, err = s.racks[i].Report(s.ctx, answered(token, status, 0))
			stored = err == nil && !receipt.ID.IsZero()
		case what == 1: // somebody imports by hand
			about = integrationID(rapid.SampledFrom(fleet).Draw(t, "integration"))
			var err error
			receipt, err = s.racks[i].Import(s.ctx, keyrack.Import{
				Integration: lifecycle.Named{ID: about},
				Enterprise:  lifecycle.Named{ID: enterpriseID(rapid.SampledFrom(hotels).Draw(t, "hotel"))},
				Token:       keyrack.NewToken(tokenText(rapid.SampledFrom(rings).Draw(t, "token"))),
			})
			stored, reopens = err == nil, true
		default: // a delivery, or one again
			var body []byte
			if what < 4 && len(bodies) > 0 {
				again := rapid.IntRange(0, len(bodies)-1).Draw(t, "again")
				about, body = abouts[again], bodies[again]
			} else {
				about, body = anyBody(t)
				bodies, abouts = append(bodies, body), append(abouts, about)
			}
			status := s.deliver(i, body)
			if about != "" {
				about = integrationID(about)
			}
			stored, receipt = status == http.StatusNoContent, s.seen.Receipt
			if !stored && status != http.StatusServiceUnavailable {
				t.Errorf("answered %d", status)
			}
			buries = stored && bytes.Contains(body, []byte("IntegrationDeleted"))
		}

		synctest.Wait() // both have polled
		records, entries := s.stored()
		grown, timed := timesApart(t, entries[len(entriesBefore):])
		switch {
		case stored && len(grown) != 1, len(grown) > 1:
			t.Errorf("%d entries in the journal for one piece of evidence; taken in: %v", len(grown), stored)
		case stored && grown[0].ID != receipt.ID:
			t.Errorf("the journal has another entry than the receipt")
		case len(grown) == 1 && grown[0].Integration != about:
			t.Errorf("the entry is about %q, the evidence about %q", grown[0].Integration, about)
		}
		for id, record := range before {
			if id != about && !timed[id] && records[id] != record {
				t.Errorf("evidence about %s changed %s:\n%s", about, id, cmp.Diff(record, records[id]))
			}
		}
		for id, text := range records {
			record, err := lifecycle.ParseRecord([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			if known := enterprises[id]; known != "" && record.Enterprise.ID != known {
				t.Errorf("%s went from enterprise %s to %q", id, known, record.Enterprise.ID)
			}
			enterprises[id] = record.Enterprise.ID
			if id == about && buries {
				buried[id] = true
			}
			if id == about && reopens {
				buried[id] = record.State == lifecycle.Deleted
			}
			if buried[id] && record.State != lifecycle.Deleted {
				t.Errorf("%s was deleted and is %v", id, record.State)
			}
		}
		audit(t, s.mem, s.racks[:]...)
		for _, r := range s.racks {
			s.checkVerdicts(r, rings)
		}
		before, entriesBefore = records, entries
	}
	s.catchUp()
	time.Sleep(2 * minute) // every grace has ended, and its end is in the journal
	synctest.Wait()
	here := ask(s.racks[0], rings, hotels)
	s.racks[1].Close()
	s.open(1)
	if diff := cmp.Diff(here, ask(s.racks[1], rings, hotels)); diff != "" {
		t.Errorf("opened anew, it answers otherwise (-before +after):\n%s", diff)
	}
}

// timesApart returns the entries that evidence made, and the integrations of those that
// time alone made.
func timesApart(t interface{ Fatal(...any) }, entries []store.Entry) (others []store.Entry, timed map[string]bool) {
	timed = map[string]bool{}
	for _, e := range entries {
		evidence, err := lifecycle.ParseEvidence(e.Evidence)
		if err != nil {
			t.Fatal(err)
		}
		if evidence.Kind == lifecycle.KindTime || evidence.Kind == lifecycle.KindSucceeded { // of what follows from it
			timed[e.Integration] = true
		} else {
			others = append(others, e)
		}
	}
	return others, timed
}

// An IntegrationCreated is the oldest event of an integration by definition:
// whenever it arrives, the same follows for the state and for every token.
func TestCreatedCommutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, commute) })
}

func commute(t *rapid.T) {
	toggles := []lifecycle.Action{
		lifecycle.IntegrationEnabled, lifecycle.IntegrationDisabled,
		lifecycle.IntegrationCanceled, lifecycle.IntegrationReinstated,
	}
	bodies := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) []byte {
		if n := rapid.IntRange(0, len(toggles)+1).Draw(t, "action"); n < len(toggles) {
			return webhook(toggles[n], "A", nil)
		}
		return rotation("A", rapid.SampledFrom(rings[1:]).Draw(t, "token"))
	}), 1, 7).Draw(t, "others")
	birth := creation("A", rings[0], lifecycle.FlagOf(rapid.Bool().Draw(t, "on")))
	deletes := rapid.IntRange(0, 3).Draw(t, "deleted") == 0
	life := func(place int) answers {
		s := newCluster(t, keyrack.Options{})
		defer s.close()
		for i := range len(bodies) + 1 {
			if i == place {
				s.deliver(0, birth)
			}
			time.Sleep(time.Second)
			if i < len(bodies) {
				s.deliver(0, bodies[i])
			}
		}
		if deletes {
			s.deliver(0, deletion("A", time.Time{}))
		}
		a := ask(s.racks[0], rings, []string{"H"})
		a.Records = nil // which tell the order
		for _, verdicts := range []map[string]keyrack.Verdict{a.Tokens, a.Integrations} {
			for name, v := range verdicts {
				v.Evidence = lifecycle.Basis{}
				verdicts[name] = v
			}
		}
		return a
	}
	first := life(0)
	place := rapid.IntRange(1, len(bodies)).Draw(t, "place")
	if diff := cmp.Diff(first, life(place)); diff != "" {
		t.Errorf("it matters that Created comes after %d others (-first +later):\n%s", place, diff)
	}
}

// Whatever contains a deletion ends deleted, in whatever order it comes.
func TestDeletedAbsorbs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newCluster(t, keyrack.Options{})
		defer s.close()
		bodies := [][]byte{deletion("A", time.Time{})}
		for _, a := range lifecycle.Actions() {
			switch a {
			case lifecycle.IntegrationCreated:
				bodies = append(bodies, creation("A", "k1", lifecycle.Yes))
			case lifecycle.IntegrationApiKeyCreated:
				bodies = append(bodies, rotation("A", "k2"))
			case lifecycle.IntegrationDeleted:
			default:
				bodies = append(bodies, webhook(a, "A", nil))
			}
		}
		for _, body := range rapid.Permutation(bodies).Draw(t, "order") {
			if status := s.deliver(0, body); status != http.StatusNoContent {
				t.Fatalf("answered %d", status)
			}
		}
		r := s.racks[0]
		if record, _ := r.Record(integrationID("A")); record.State != lifecycle.Deleted {
			t.Errorf("ended as %v", record.State)
		}
		for _, token := range []string{"k1", "k2"} {
			if got := verdictText(r.Check(tokenText(token))); got != "invalid deleted" {
				t.Errorf("token %s is %s", token, got)
			}
			if _, err := r.Report(s.ctx, answered(token, http.StatusOK, 0)); err != nil {
				t.Error(err)
			}
			if v := r.Check(tokenText(token)); v.Status == lifecycle.Valid {
				t.Errorf("a 200 made token %s of a deleted integration valid", token)
			}
		}
	})
}

// A store that fails, or a context that has ended, never makes a Valid: neither
// of a token that must be fetched, nor of a delivery that was not taken in.
func TestStoreErrorsAreUnknown(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			s := newCluster(t, keyrack.Options{})
			defer s.close()
			r := s.racks[0]
			s.deliver(0, creation("A", "k", lifecycle.Yes))
			f := fault(rapid.IntRange(int(failsBefore), int(hangsAfter)).Draw(t, "fault"))
			synctest.Wait() // else the other instance, which follows, gets the fault
			s.store.fail(f)
			ctx, cancel := context.WithCancel(s.ctx)
			defer cancel()
			if rapid.Bool().Draw(t, "canceled") {
				cancel()
			}
			began := time.Now()
			token, v, err := r.Token(ctx, integrationID("A"))
			if err == nil || v.Status != lifecycle.Unknown || v.Active() || !token.IsZero() {
				t.Errorf("fault %d: %s, %v, and a token: %v", f, verdictText(v), err, !token.IsZero())
			}
			if took := time.Since(began); took > storeTimeout {
				t.Errorf("it took %v", took)
			}
			// What is in memory needs no store.
			if v := r.Check(tokenText("k")); v.Status != lifecycle.Valid {
				t.Errorf("Check with a store that is away: %s", verdictText(v))
			}
			s.store.fail(f, f, f)
			began = time.Now()
			if status := s.deliver(0, creation("B", "b", lifecycle.Yes)); status != http.StatusServiceUnavailable {
				t.Errorf("fault %d, and answered %d", f, status)
			}
			if took := time.Since(began); took > storeTimeout {
				t.Errorf("it took %v", took)
			}
			if v := r.Check(tokenText("b")); v.Status == lifecycle.Valid {
				t.Error("valid by a delivery that was not taken in")
			}
		})
	})
}

// A 401 of one integration's says nothing about another's, and settles nothing.
func TestRejectionStaysAtHome(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { rapid.SyncTest(t, rejectSome) })
}

func rejectSome(t *rapid.T) {
	s := newCluster(t, keyrack.Options{})
	defer s.close()
	names := slices.Concat(fleet, rings)
	for _, name := range names {
		s.deliver(0, creation(name, "key of "+name, lifecycle.Yes))
	}
	time.Sleep(time.Minute)
	struck := rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, len(names), rapid.ID).Draw(t, "401")
	for _, name := range struck {
		_, err := s.racks[0].Report(s.ctx, answered("key of "+name, http.StatusUnauthorized, 0))
		if err != nil && !errors.Is(err, keyrack.ErrNotFound) {
			t.Fatal(err)
		}
	}
	for _, name := range names {
		want := "valid live"
		if slices.Contains(struck, name) {
			want = "unknown doubted, guess invalid"
		}
		if got := verdictText(s.racks[0].Check(tokenText("key of " + name))); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}
