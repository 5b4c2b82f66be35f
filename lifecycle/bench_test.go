package lifecycle_test

import (
	"context"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// step is one delivery as it comes off the wire, in a state.
type step struct {
	name      string // Mews's name of the action
	isEnabled bool
	from, to  State
}

// spelled is the same for looplab/fsm.
type spelled struct{ from, event, to string }

// steps are the cells of the table, in an order that jumps from row to row.
func steps(t testing.TB, which func(cell) bool) (all []step, same []spelled) {
	table := readTable(t)
	for i := range States() {
		for j, column := range Columns() {
			state := States()[(i+3*j)%len(States())]
			if c := table[state][column]; which(c) {
				all = append(all, step{column.Action().String(), column == Columns()[0], state, c.to})
				same = append(same, spelled{state.String(), column.String(), c.to.String()})
			}
		}
	}
	return all, same
}

func every(cell) bool { return true }

// BenchmarkTransition compares one transition, the action's name included, with
// looplab/fsm on one machine that is set to the state before: both in turns, and
// the median turn of each. It fails for a wrong state and for nothing else: a ratio
// is reported, since on a loaded machine it would fail by chance.
func BenchmarkTransition(b *testing.B) {
	for name, which := range map[string]func(cell) bool{
		"every cell": every, "transitions": func(c cell) bool { return c.moves },
	} {
		b.Run(name, func(b *testing.B) {
			all, same := steps(b, which)
			machine, ctx := Machine(Unseen), context.Background()
			var tables, looplabs []time.Duration
			for b.Loop() {
				began := time.Now()
				for range 20 {
					for i := range all {
						s := &all[i]
						column, ok := ColumnOf(ParseAction(s.name), s.isEnabled)
						if cell := Next(s.from, column); !ok || cell.To != s.to {
							b.Fatalf("%+v: %+v", s, cell)
						}
					}
				}
				tables = append(tables, time.Since(began)/20)
				began = time.Now()
				for i := range same {
					s := &same[i]
					machine.SetState(s.from)
					_ = machine.Event(ctx, s.event) // its state tells
					if machine.Current() != s.to {
						b.Fatalf("%+v: %s", s, machine.Current())
					}
				}
				looplabs = append(looplabs, time.Since(began))
			}
			table, looplab := testkit.Median(tables), testkit.Median(looplabs)
			b.ReportMetric(float64(table)/float64(len(all)), "table-ns")
			b.ReportMetric(float64(looplab)/float64(len(all)), "looplab-ns")
			b.ReportMetric(float64(looplab)/float64(table), "times-as-fast")
		})
	}
}

// TestTransitionsDoNotAllocate goes through every outcome.
func TestTransitionsDoNotAllocate(t *testing.T) {
	all, _ := steps(t, every)
	if allocs := testing.AllocsPerRun(10, func() {
		for i := range all {
			column, _ := ColumnOf(ParseAction(all[i].name), all[i].isEnabled)
			if Next(all[i].from, column).To != all[i].to {
				t.Fatal(all[i])
			}
		}
		if _, ok := ColumnOf(ParseAction("IntegrationPaused"), false); ok {
			t.Fatal("an unknown action has a column")
		}
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}

// verdicts are records with the reason for the verdict on their token.
func verdicts() map[Reason]Record {
	birth := created(Yes, token(0), minute(0))
	live := fold(birth)
	return map[Reason]Record{
		ReasonLive:            live,
		ReasonUnfamiliar:      {},
		ReasonDeleted:         fold(birth, delivery(IntegrationDeleted, minute(1))),
		ReasonSuperseded:      fold(birth, rotated(token(1), minute(1))),
		ReasonCanceled:        fold(birth, delivery(IntegrationCanceled, minute(1))),
		ReasonDisabled:        fold(birth, delivery(IntegrationDisabled, minute(1))),
		ReasonRejected:        then(live, probe(&live, token(0), Rejected, minute(1))),
		ReasonUnattributed:    then(live, probe(&live, token(0), Unattributed, minute(1))),
		ReasonDoubted:         then(live, own(token(0), Unattributed, minute(1), minute(1))),
		ReasonUnseen:          fold(delivery(IntegrationReinstated, minute(0)), rotated(token(0), minute(1))),
		ReasonSuspectKey:      fold(birth, created(Yes, token(1), minute(1))),
		ReasonSuspectEnabled:  fold(birth, delivery(IntegrationReinstated, minute(1))),
		ReasonSuspectCanceled: fold(birth, delivery(IntegrationCanceled, minute(0)), delivery(IntegrationReinstated, minute(1)), delivery(IntegrationCanceled, minute(2))),
	}
}

func TestVerdictsDoNotAllocate(t *testing.T) {
	policy := Policy{MaxAge: 24 * time.Hour, Grace: time.Second}
	for reason, r := range verdicts() {
		if allocs := testing.AllocsPerRun(10, func() {
			if v := r.Verdict(token(0), &policy, minute(2)); v.Reason != reason {
				t.Fatalf("%v, want %v", v.Reason, reason)
			}
			r.Verdict(Digest{}, &policy, minute(2))
			r.Question(start)
		}); allocs != 0 {
			t.Errorf("%v: %v allocations", reason, allocs)
		}
	}
}

func BenchmarkVerdict(b *testing.B) {
	policy := Policy{MaxAge: 24 * time.Hour}
	for _, reason := range []Reason{ReasonLive, ReasonSuperseded, ReasonUnseen} {
		b.Run(reason.String(), func(b *testing.B) {
			r := verdicts()[reason]
			b.ReportAllocs()
			for b.Loop() {
				if v := r.Verdict(token(0), &policy, minute(2)); v.Reason != reason {
					b.Fatal(v.Reason)
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	live := fold(created(Yes, token(0), minute(0)))
	suspect := then(live, delivery(IntegrationDisabled, minute(1)), delivery(IntegrationDisabled, minute(2)))
	for name, c := range map[string]struct {
		r       Record
		e       Evidence
		outcome Outcome
	}{
		"applied":    {live, delivery(IntegrationDisabled, minute(1)), Applied},
		"duplicate":  {live, delivery(IntegrationEnabled, minute(1)), Duplicate},
		"reconciled": {suspect, delivery(IntegrationEnabled, minute(3)), Reconciled},
		"rotated":    {live, rotated(token(1), minute(1)), Applied},
		"accepted":   {live, probe(&live, token(0), Accepted, minute(1)), Applied},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, d := c.r.Apply(c.e); d.Outcome != c.outcome {
					b.Fatal(d)
				}
			}
		})
	}
}

func BenchmarkAppendRecord(b *testing.B) {
	r := fold(created(Yes, token(0), minute(0)), delivery(IntegrationDisabled, minute(1)), rotated(token(1), minute(2)))
	want := string(AppendRecord(nil, r))
	buffer := make([]byte, 0, 2048)
	b.SetBytes(int64(len(want)))
	b.ReportAllocs()
	for b.Loop() {
		if got := AppendRecord(buffer, r); string(got) != want {
			b.Fatalf("%s", got)
		}
	}
}

func BenchmarkParseRecord(b *testing.B) {
	r := fold(created(Yes, token(0), minute(0)), delivery(IntegrationDisabled, minute(1)), rotated(token(1), minute(2)))
	text := AppendRecord(nil, r)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if got, err := ParseRecord(text); err != nil || got.Version != r.Version {
			b.Fatal(err)
		}
	}
}
