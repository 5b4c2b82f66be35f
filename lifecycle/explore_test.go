package lifecycle_test

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle"
)

var length = flag.Int("length", 4, "up to how many changes after its creation a history is explored in every order; "+
	"5 takes some minutes")

// sentHistory is what Mews sent in the end, in the order in which it happened, and the
// truths that it can stand for, each with a bit for every reading under which it can.
type sentHistory struct {
	sent []sent
	ends map[truth]uint32
}

// sentHistories returns what can be sent of all true histories of up to n changes, under all
// readings; of one change fewer where there are two switches.
func sentHistories(n int) map[string]*sentHistory {
	all := make(map[string]*sentHistory)
	for i, r := range readings() {
		var live func(w truth, told []sent, left int)
		live = func(w truth, told []sent, left int) {
			name := fmt.Sprint(told)
			if all[name] == nil {
				all[name] = &sentHistory{told, make(map[truth]uint32)}
			}
			all[name].ends[w] |= 1 << i
			for _, a := range r.changes() {
				if left == 0 || !w.can(a) {
					continue
				}
				next, s, ok := w.happens(a, r)
				if ok {
					live(next, append(told[:len(told):len(told)], s), left-1)
				} else {
					live(next, told, left-1)
				}
			}
		}
		for _, enabled := range []bool{true, false} {
			for _, told := range []bool{true, false} {
				w, s := birth(enabled, told)
				left := n
				if r.two {
					left--
				}
				live(w, []sent{s}, left)
			}
		}
	}
	return all
}

// channel delivers a sent history in every order, with at most one delivery repeated.
type channel struct {
	sent []sent
	// rests: bit i is set where so much time lies between the i-th and what was sent
	// after it that the one has arrived for more than a horizon before the other.
	rests uint
	// meets is shown every record on the way.
	meets func(r *Record, now Instant)
	// ends is shown every record that all was delivered to.
	ends func(r *Record, order []int, now Instant)
}

func (c *channel) run() {
	left := make([]int, len(c.sent))
	for i := range left {
		left[i] = 1
	}
	c.walk(Record{}, nil, left, 0)
	for i := range left {
		left[i] = 2
		c.walk(Record{}, nil, left, 0)
		left[i] = 1
	}
}

// walk lets each delivery arrive that may be the next.
func (c *channel) walk(r Record, order, left []int, now int) {
	if c.meets != nil {
		c.meets(&r, minute(now))
	}
	arrived := true // all that was sent so far
	for i := range c.sent {
		if left[i] > 0 {
			arrived = false
			left[i]--
			next, _ := r.Apply(c.sent[i].arrives(minute(now)))
			c.walk(next, append(order[:len(order):len(order)], i), left, now+1)
			left[i]++
		}
		if c.rests>>i&1 == 1 {
			if !arrived {
				return
			}
			if len(order) > 0 && order[len(order)-1] <= i {
				now += 40
			}
		}
	}
	if arrived && c.ends != nil {
		c.ends(&r, order, minute(now))
	}
}

// wrong reports whether a verdict other than Unknown is not what a truth says.
func wrong(v Verdict, works bool) bool {
	return v.Status == Valid && !works || v.Status == Invalid && works
}

// policies are what an application can count on.
var policies = []Policy{
	{}, {Levels: 2}, {Reinstated: No}, {Reinstated: Yes},
	{Levels: 2, Reinstated: No}, {Levels: 2, Reinstated: Yes},
}

// TestTruth explores all true histories up to a length, in every order of arrival,
// with breaks longer than the horizon at every place, and with at most one
// delivery repeated. Once all has arrived, an answer other than Unknown is right
// under every reading of what Mews leaves open that the policy does not rule out.
func TestTruth(t *testing.T) {
	n := *length
	if testing.Short() || testkit.Race {
		n = min(n, 3)
	}
	counts := make([]uint32, len(policies)) // the readings that each counts on
	for i, p := range policies {
		for j, r := range readings() {
			if r.allowed(p) {
				counts[i] |= 1 << j
			}
		}
	}
	ends, answers, unknown := 0, 0, 0
	for _, s := range sentHistories(n) {
		for rests := range uint(1) << (len(s.sent) - 1) {
			c := channel{sent: s.sent, rests: rests, ends: func(r *Record, order []int, now Instant) {
				ends++
				for n := range maxRotations + 1 {
					if _, known := r.Key(token(n)); !known {
						continue
					}
					for i, p := range policies {
						v := r.Verdict(token(n), &p, now)
						if i == 0 {
							answers++
						}
						if v.Status == Unknown {
							if i == 0 {
								unknown++
							}
							continue
						}
						for w, under := range s.ends {
							if under&counts[i] != 0 && wrong(v, w.works(n)) {
								t.Fatalf("%v arriving as %v, rests %b: under %+v token %d is %v (%v), and in truth %+v", s.sent, order, rests, p, n, v.Status, v.Reason, w)
							}
						}
					}
				}
			}}
			c.run()
		}
	}
	share := float64(unknown) / float64(answers)
	t.Logf("%d changes: %d ends, %d answers, %.1f%% of them unknown", n, ends, answers, 100*share)
	if ends < 10_000 || share > 0.06+0.05*float64(n) { // the longer, the more there is to come at once
		t.Errorf("%d ends, %.1f%% of the answers unknown", ends, 100*share)
	}
}

// tale is a longer history with times of its own: a delivery arrives after less
// than the horizon, and so do its copies.
type tale struct {
	reading  reading
	course   []moment
	arrivals []Evidence
}

// moment is since when something is true.
type moment struct {
	truth
	since Instant
}

// end is what is true in the end, told when everything has arrived for long.
func (told tale) end() moment {
	last := told.course[len(told.course)-1]
	return moment{last.truth, last.since.Add(90 * time.Minute)}
}

// works is the number of the token that works at a time, of those that the record
// knows; -1 for none.
func (told tale) works(r *Record, at Instant) int {
	w := told.course[0].truth
	for _, m := range told.course {
		if m.since <= at {
			w = m.truth
		}
	}
	if _, known := r.Key(token(w.key)); known && w.works(w.key) {
		return w.key
	}
	return -1
}

// drawTale draws one of up to seven changes, of whose deliveries up to so many are lost.
func drawTale(t *rapid.T, losses int) tale {
	lag := func() time.Duration {
		return time.Duration(rapid.SampledFrom([]int{0, 1, 2, 5, 14, 15, 28, 29}).Draw(t, "lag")) * time.Minute
	}
	reading := rapid.SampledFrom(readings()).Draw(t, "reading")
	w, s := birth(rapid.Bool().Draw(t, "enabled"), rapid.IntRange(0, 5).Draw(t, "told") > 0)
	now := start
	told := tale{reading: reading, course: []moment{{w, now}}}
	send := func(s sent) {
		if losses > 0 && rapid.IntRange(0, 3).Draw(t, "lost") == 0 {
			losses--
			return
		}
		for range rapid.SampledFrom([]int{1, 1, 1, 2, 3}).Draw(t, "copies") {
			told.arrivals = append(told.arrivals, s.arrives(now.Add(lag())))
		}
	}
	send(s)
	for range rapid.IntRange(0, 7).Draw(t, "changes") {
		a := rapid.SampledFrom(reading.changes()).Draw(t, "change")
		if !w.can(a) {
			continue
		}
		now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 3, 10, 20, 29, 31, 45, 61, 200}).Draw(t, "minutes")) * time.Minute)
		next, s, sends := w.happens(a, reading)
		w = next
		told.course = append(told.course, moment{w, now})
		if sends {
			send(s)
		}
	}
	slices.SortStableFunc(told.arrivals, func(a, b Evidence) int { return cmp.Compare(a.At, b.At) })
	return told
}

// sample checks many tales: one costs microseconds.
func sample(t *testing.T, check func(*rapid.T)) {
	checks := flag.Lookup("rapid.checks").Value
	before := checks.String()
	if n, err := strconv.Atoi(before); err != nil || n < 20_000 {
		if err := checks.Set("20000"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = checks.Set(before) }()
	}
	rapid.Check(t, check)
}

// TestTruthSampled is TestTruth with longer histories.
func TestTruthSampled(t *testing.T) {
	sample(t, func(t *rapid.T) {
		told := drawTale(t, 0)
		r := fold(told.arrivals...)
		end := told.end()
		for _, p := range policies {
			for n := range maxRotations + 1 {
				if v := r.Verdict(token(n), &p, end.since); told.reading.allowed(p) && wrong(v, end.works(n)) {
					t.Fatalf("under %+v token %d is %v (%v), and in truth %+v", p, n, v.Status, v.Reason, end)
				}
			}
		}
	})
}

// settle asks what the record asks, until it has no more open questions, and
// answers as if one token worked, or none for -1.
func settle(r Record, works int, now Instant) (settled Record, asked int) {
	for range 2 * MaxKeys {
		q, ok := r.Question(now)
		if !ok || !q.Open {
			break
		}
		answer := Rejected
		if works >= 0 && q.Token == token(works) {
			answer = Accepted
		}
		asked++
		r, _ = r.Apply(probe(&r, q.Token, answer, now))
	}
	return r, asked
}

// unsettled returns what the settled record says of a token of its own that is not
// so, or nothing.
func unsettled(r *Record, works int, now Instant) string {
	policy := Policy{MaxAge: 24 * time.Hour}
	for _, k := range r.Keys {
		v := r.Verdict(k.Digest, &policy, now)
		if want := works >= 0 && k.Digest == token(works); v.Active() != want || v.Status == Unknown {
			return fmt.Sprintf("token %d works, and %v is %v (%v)", works, k.Digest, v.Status, v.Reason)
		}
	}
	return ""
}

// TestProbesSettle goes to every record on the way of every history up to a length,
// as if all the rest were lost, and supposes every truth that can be behind it:
// whichever token works, or none. When the record has no more open questions, every
// answer is the truth.
func TestProbesSettle(t *testing.T) {
	n := *length - 1 // it meets many times as many records as TestTruth meets ends
	if testing.Short() || testkit.Race {
		n = min(n, 2)
	}
	settled, asked := 0, 0
	for _, s := range sentHistories(n) {
		for rests := range uint(1) << (len(s.sent) - 1) {
			c := channel{sent: s.sent, rests: rests, meets: func(r *Record, now Instant) {
				now = now.Add(time.Minute)
				for works := -1; works <= maxRotations; works++ {
					if _, known := r.Key(token(works)); works >= 0 && (!known || r.State == Deleted) {
						continue
					}
					next, questions := settle(*r, works, now)
					settled, asked = settled+1, asked+questions
					if problem := unsettled(&next, works, now); problem != "" {
						t.Fatalf("a part of %v, rests %b: %s", s.sent, rests, problem)
					}
				}
			}}
			c.run()
		}
	}
	t.Logf("%d changes: %d records and truths, %d questions", n, settled, asked)
	if settled < 10_000 || asked < settled/2 {
		t.Errorf("%d records, %d questions", settled, asked)
	}
}

// TestProbesSettleSampled loses up to two deliveries of longer histories, and may
// ask between any two arrivals what is true at that moment.
func TestProbesSettleSampled(t *testing.T) {
	sample(t, func(t *rapid.T) {
		told := drawTale(t, 2)
		var r Record
		for i, e := range told.arrivals {
			r, _ = r.Apply(e)
			if rapid.IntRange(0, 2).Draw(t, fmt.Sprint("asked after ", i)) == 0 {
				r, _ = settle(r, told.works(&r, e.At), e.At)
			}
		}
		now := told.end().since
		works := told.works(&r, now)
		r, _ = r.Apply(Evidence{Kind: KindProbeRequest, At: now, Horizon: horizon, Integration: Named{ID: integration}})
		r, _ = settle(r, works, now)
		if problem := unsettled(&r, works, now); problem != "" {
			t.Fatal(problem)
		}
	})
}
