package lifecycle_test

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// evidenceSize is how many bytes make one piece of evidence.
const evidenceSize = 9

// evidenceOf makes evidence of any bytes: what cannot be as well as what can.
func evidenceOf(b []byte, now *Instant, r *Record) Evidence {
	steps := [...]time.Duration{0, time.Second, time.Minute, horizon, horizon + 1e3, 24 * time.Hour, -time.Minute, -24 * time.Hour, math.MaxInt64, math.MinInt64}
	*now = now.Add(steps[int(b[1])%len(steps)])
	id := [...]string{integration, integration, integration, integration, "another"}[int(b[2])%5]
	e := Evidence{
		Kind: Kind(b[0] % 19), At: *now, Horizon: [...]time.Duration{horizon, horizon, 0, -1, math.MaxInt64}[b[3]%5],
		Action: Action(b[8] % 10), Integration: Named{ID: id, Name: [...]string{"", "WebhookTEST"}[b[2]/128]},
		Enterprise: Named{ID: [...]string{hotel, hotel, "", "another"}[b[4]%4]}, Service: Named{ID: [...]string{"", "s"}[b[4]/128]},
		Token: token(int(b[5]%40) - 1), IsEnabled: Flag(b[6] % 4), Owner: [...]string{"", "", "", "", "another"}[b[6]/16%5],
		Answer: Answer(b[6] / 4 % 4), Began: now.Add(-steps[int(b[7])%len(steps)]), Portfolio: b[7]/128 == 1,
		Generation: r.Generation - uint64(b[7]/16%3),
		CreatedUtc: Instant(b[3]/16%3) * minute(1), DeletedUtc: Instant(b[3]/64) * minute(1),
	}
	e.IsCanceled, e.AnsweredBy = Flag(b[8]/16%4), [...]string{"", hotel, "another", ""}[b[8]/32%4]
	if b[7]%8 == 7 && (e.Kind == KindName || e.Kind == KindImport || e.Kind == KindDelivery) {
		nameless, _ := (Record{}).Apply(Evidence{Kind: KindImport, At: *now, Integration: Named{ID: "nameless"}, Enterprise: e.Enterprise, Token: token(int(b[5]%40) - 1), Labels: "n=1"})
		e.Record = string(AppendRecord(nil, nameless))
	}
	if e.Kind == KindFork { // fork_test.go tries those
		e.Kind, e.Succeeds = KindSucceeded, [...]string{"", "another", "a third"}[b[8]%3]
	}
	if e.Kind == KindLabel || e.Kind == KindImport || e.Kind == KindSucceeded {
		e.Labels = Labels([...]string{"", "a=1", "a=2,b=", "env=prod,tenant=4711"}[b[5]%4])
		e.Unlabel = [...]string{"", "a", "a,tenant"}[b[8]%3]
	}
	if b[7]/16%2 == 1 {
		e.Operation = [...]string{"", "a", "b", "c"}[b[8]/64] + [...]string{"", "1", "2", "3", "4", "5", "6", "7"}[b[5]%8]
	}
	return e
}

// FuzzApply holds what must hold for any evidence in any order.
func FuzzApply(f *testing.F) {
	f.Add([]byte{})
	var life []byte
	for _, action := range []Action{
		IntegrationCreated, IntegrationDisabled, IntegrationEnabled, IntegrationCanceled, IntegrationReinstated,
		IntegrationApiKeyCreated, IntegrationDeleted,
	} {
		life = append(life, byte(KindDelivery), 2, 0, 0, 0, byte(action), 2, 0, byte(action))
		f.Add(bytes.Clone(life))
	}
	for _, kind := range []Kind{KindProbe, KindReport, KindContest, KindImport, KindForget} {
		life = append(life, byte(kind), 2, 0, 0, 0, 1, 4, 0, 0)
		f.Add(bytes.Clone(life))
	}
	f.Add(append(bytes.Clone(life[:7*evidenceSize]), byte(KindJoin), 2, 0, 0, 0, 0, 0, 0, 0)) // a deleted one, under a spelling that is left
	rotation := []byte{byte(KindDelivery), 1, 0, 0, 0, 9, 0, 0, byte(IntegrationApiKeyCreated)}
	f.Add(bytes.Repeat(append(rotation, byte(KindProbe), 3, 0, 0, 0, 9, 8, 0, 0), 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		now := start
		r := Record{ID: integration}
		snapshot, journal := r, []Evidence(nil)
		for i := 0; len(b) >= evidenceSize && i < 100; i, b = i+1, b[evidenceSize:] {
			e := evidenceOf(b, &now, &r)
			before := AppendRecord(nil, r)
			next, d := r.Apply(e)
			if fault := unsound(&r, &next, e); fault != "" {
				t.Fatalf("%s\n%+v\n%s", fault, e, before)
			}
			to := next.State
			if (e.Kind == KindJoin || e.Kind == KindName) && d.Outcome == Applied && e.Record == "" {
				to = r.State // it goes on under another spelling
			}
			if d.Outcome == Undecided || d.From != r.State || d.To != to || d.Outcome == Conflict && !d.Alarm {
				t.Fatalf("%+v of %+v", d, e)
			}
			if d.Err() != nil && d.From != d.To {
				t.Fatalf("refused, and yet a transition: %+v", d)
			}
			if !bytes.Equal(AppendRecord(nil, r), before) {
				t.Fatalf("Apply changed what it was called on:\n%s\n%s", before, AppendRecord(nil, r))
			}
			encoded := AppendRecord(nil, next)
			back, err := ParseRecord(encoded)
			if err != nil || !reflect.DeepEqual(next, back) {
				t.Fatalf("read back: %v\n%s", err, cmp.Diff(next, back))
			}
			if b[1]&64 != 0 {
				snapshot, journal = back, nil
			} else {
				journal = append(journal, e)
			}
			for _, k := range next.Keys {
				v := next.Verdict(k.Digest, &Policy{MaxAge: time.Hour}, now)
				if v.Status == Valid && (next.State == Deleted || !next.State.Live() || k.Dispute != NoCause || k.Answer == Rejected) {
					t.Fatalf("Valid: %+v\n%s", v, encoded)
				}
			}
			r = next
		}
		for _, e := range journal {
			e, err := ParseEvidence(AppendEvidence(nil, e))
			if err != nil && !errors.Is(err, ErrNewer) { // of a Kind that there is not yet
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			snapshot, _ = snapshot.Apply(e)
		}
		if got, want := AppendRecord(nil, snapshot), AppendRecord(nil, r); !bytes.Equal(got, want) {
			t.Fatalf("folded:\n%s\n%s", got, want)
		}
	})
}

// FuzzParseRecord: what is read is written again as it was, and errors quote nothing.
func FuzzParseRecord(f *testing.F) {
	f.Add(AppendRecord(nil, Record{}))
	r := fold(rotated(token(1), minute(0)), delivery(IntegrationCanceled, minute(1)), delivery(IntegrationEnabled, minute(1)))
	f.Add(AppendRecord(nil, r))
	r = then(r, created(Yes, token(0), minute(2)), delivery(IntegrationReinstated, minute(3)))
	f.Add(AppendRecord(nil, then(r, probe(&r, token(1), Accepted, minute(4)))))
	f.Add([]byte(`{"Format":1,"Version":1,"State":"paused"}`))
	f.Add([]byte(`{"Format":2,"Version":1}`))
	f.Add([]byte(`{"Format":1,"ID":"` + canary + `","Version":-1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := ParseRecord(b)
		if err != nil {
			if !strings.HasPrefix(err.Error(), "lifecycle: record: ") || len(err.Error()) > 100 || leaks(err.Error()) {
				t.Fatalf("the error says %q", err)
			}
			if !reflect.ValueOf(r).IsZero() {
				t.Fatalf("half a record beside %v: %+v", err, r)
			}
			return
		}
		encoded := AppendRecord(nil, r)
		back, err := ParseRecord(encoded)
		if err != nil {
			t.Fatalf("%v, of what was written:\n%s", err, encoded)
		}
		if again := AppendRecord(nil, back); !bytes.Equal(encoded, again) {
			t.Fatalf("written\n%s, and read back\n%s", encoded, again)
		}
		if now := start; len(b) >= evidenceSize {
			r.Apply(evidenceOf(b[len(b)-evidenceSize:], &now, &r))
			r.Question(now)
			r.Verdict(Digest{}, new(Policy), now)
		}
	})
}
