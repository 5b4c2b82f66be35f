package belief_test

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"

	. "github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

const horizon = 30

// told is something that a State is told.
type told struct {
	what string // E, D, C, R, or ok for a token that works
	at   int64
}

func tell(s State, all ...told) (State, Answers) {
	var a Answers
	for _, t := range all {
		if t.what == "ok" {
			s, a = s.Worked(t.at, horizon)
			continue
		}
		s, a = s.Arrived(Event(slices.Index([]string{"E", "D", "C", "R"}, t.what)), t.at, horizon)
	}
	return s, a
}

func born(b Births) State {
	s, _ := State{}.Created(b, 0, horizon)
	return s
}

// TestCases are what a person can follow.
func TestCases(t *testing.T) {
	const no = CanceledEnabled | CanceledDisabled
	for name, c := range map[string]struct {
		born Births
		told []told
		one  Presents
		two  Presents
	}{
		"nothing":                         {BornEnabled, nil, Live, Live},
		"nothing said":                    {BornEither, nil, Live | Off, Live | Off},
		"nothing said, then off":          {BornEither, []told{{"D", 1}}, Off, Off},
		"off, on":                         {BornEnabled, []told{{"D", 1}, {"E", 2}}, Live, Live},
		"on, off, born on":                {BornEnabled, []told{{"E", 1}, {"D", 2}}, Live, Live},
		"off, on, off: perhaps a copy":    {BornEnabled, []told{{"D", 1}, {"E", 2}, {"D", 3}}, Live | Off, Live | Off},
		"off, on, and on again":           {BornEnabled, []told{{"D", 1}, {"E", 2}, {"E", 3}}, Live, Live},
		"off twice, and on":               {BornEnabled, []told{{"D", 1}, {"D", 2}, {"E", 3}}, Live | Off, Live | Off},
		"off, much later off":             {BornEnabled, []told{{"D", 1}, {"D", 300}}, Off, Off},
		"off, much later off, later on":   {BornEnabled, []told{{"D", 1}, {"D", 300}, {"E", 600}}, Off, Off},
		"on, much later on":               {BornEnabled, []told{{"E", 100}, {"E", 200}}, Live, Live},
		"reinstated before its canceling": {BornEnabled, []told{{"R", 1}, {"C", 2}}, Live | Off, Live | Off},
		"reinstated, its canceling lost":  {BornEnabled, []told{{"R", 100}}, Live | Off, Live | Off},
		"canceled, whatever the flag":     {BornEnabled, []told{{"C", 1}, {"D", 2}, {"E", 3}, {"D", 4}}, no, no},
		"it worked, and what came before": {BornDisabled, []told{{"ok", 10}, {"E", 20}}, Live, Live},
		"it worked, nobody knows why":     {BornDisabled, []told{{"ok", 10}}, Live, Live},
		"it worked, then off":             {BornEnabled, []told{{"ok", 10}, {"D", 20}}, Off, Off},
		"it worked after off, then off":   {BornEnabled, []told{{"D", 1}, {"ok", 10}, {"D", 20}}, Live | Off, Live | Off},
		"it worked after off, later off":  {BornEnabled, []told{{"D", 1}, {"ok", 10}, {"D", 50}}, Off, Off},
		"reinstated, on within a horizon": {BornEnabled, []told{{"C", 1}, {"R", 100}, {"E", 130}}, Live, Live | Off},
		"reinstated, off within a horizon": {
			BornEnabled, []told{{"C", 1}, {"R", 100}, {"D", 130}}, Live | Off, Live | Off,
		},
		"reinstated, off later": {BornEnabled, []told{{"C", 1}, {"R", 100}, {"D", 131}}, Off, Off},
	} {
		_, a := State{}.Created(c.born, 0, horizon)
		if len(c.told) > 0 {
			_, a = tell(born(c.born), c.told...)
		}
		if a[One][Asks][Untold] != c.one || a[Two][Asks][Untold] != c.two {
			t.Errorf("%s: %04b with one level, %04b with two", name, a[One][Asks][Untold], a[Two][Asks][Untold])
		}
	}
}

// TestPolicies: what is known of reinstating narrows the answer after it.
func TestPolicies(t *testing.T) {
	for name, c := range map[string]struct {
		born Births
		told []told
		want [NumReinstating]Presents
	}{
		"on, canceled, reinstated":       {BornEnabled, []told{{"C", 1}, {"R", 100}}, [...]Presents{Live | Off, Live, Live}},
		"off, canceled, reinstated":      {BornDisabled, []told{{"C", 1}, {"R", 100}}, [...]Presents{Live | Off, Off, Live}},
		"on, canceled, off, reinstated":  {BornEnabled, []told{{"C", 1}, {"D", 100}, {"R", 200}}, [...]Presents{Live | Off, Off, Live}},
		"on, off, canceled, and reinst.": {BornEnabled, []told{{"D", 1}, {"C", 100}, {"R", 200}}, [...]Presents{Live | Off, Off, Live}},
	} {
		_, a := tell(born(c.born), c.told...)
		for r, want := range c.want {
			if got := a[One][r][Untold]; got != want {
				t.Errorf("%s: %04b under %d", name, got, r)
			}
		}
	}
}

// TestNineArrivalsTellNothing: nine arrivals of a pair tell nothing until one stands alone, and
// nothing of the other pair.
func TestNineArrivalsTellNothing(t *testing.T) {
	s := born(BornEnabled)
	var a Answers
	for i := range int64(9) {
		s, a = tell(s, told{"ED"[(i+1)%2:][:1], 100 + i})
		if i == 7 && a[One][Asks][Untold] != Live|Off {
			t.Errorf("after eight: %04b", a[One][Asks][Untold])
		}
	}
	if kept, _ := s.Size(); kept != 0 || a[One][Asks][Untold] != Live|Off {
		t.Errorf("after nine: %d kept, %04b", kept, a[One][Asks][Untold])
	}
	for _, c := range []struct {
		told []told
		want Presents
	}{
		{[]told{{"D", 138}}, Live | Off},
		{[]told{{"D", 139}}, Off},
		{[]told{{"D", 138}, {"D", 168}}, Live | Off},
		{[]told{{"D", 138}, {"D", 169}}, Off},
		{[]told{{"C", 139}}, CanceledEnabled | CanceledDisabled},
		{[]told{{"ok", 110}}, Live},
		{[]told{{"ok", 110}, {"E", 120}}, Live | Off},
		{[]told{{"ok", 110}, {"D", 140}}, Off},
	} {
		if _, a := tell(s, c.told...); a[One][Asks][Untold] != c.want {
			t.Errorf("then %v: %04b, not %04b", c.told, a[One][Asks][Untold], c.want)
		}
	}
}

// TestCreatedTooLate: what came more than a horizon before IntegrationCreated sets
// nothing, since more may have been lost or late.
func TestCreatedTooLate(t *testing.T) {
	for _, c := range []struct {
		told []told
		at   int64
		want Presents
	}{
		{[]told{{"E", 0}}, 30, Live},
		{[]told{{"E", 0}}, 31, Live | Off},
		{[]told{{"E", 0}, {"E", 31}}, 32, Live},
		{[]told{{"C", 0}}, 31, Live | Off | CanceledEnabled | CanceledDisabled},
	} {
		s, _ := tell(State{}, c.told...)
		if _, a := s.Created(BornDisabled, c.at, horizon); a[One][Asks][Untold] != c.want {
			t.Errorf("%v, created at %d: %04b", c.told, c.at, a[One][Asks][Untold])
		}
	}
}

// TestDoubted: a doubt ends as a storm does.
func TestDoubted(t *testing.T) {
	s, a := born(BornEnabled).Doubted(100, horizon)
	if a[One][Asks][Untold] != Live|Off {
		t.Errorf("%04b", a[One][Asks][Untold])
	}
	if _, a := tell(s, told{"D", 130}); a[One][Asks][Untold] != Live|Off {
		t.Errorf("within a horizon: %04b", a[One][Asks][Untold])
	}
	if _, a := tell(s, told{"D", 131}); a[One][Asks][Untold] != Off {
		t.Errorf("alone: %04b", a[One][Asks][Untold])
	}
}

// TestTruthIsPossible lets longer histories happen, with many copies, bursts beyond
// what is worked through, and questions at any time. Whenever all that was sent has
// arrived, the truth is among what is possible.
func TestTruthIsPossible(t *testing.T) {
	certain, answers := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		m := rapid.SampledFrom(everyMews()).Draw(t, "mews")
		h := hotel{flag: rapid.Bool().Draw(t, "born"), other: true}
		b := BornDisabled
		if h.flag {
			b = BornEnabled
		}
		type sent struct {
			told
			last int64 // by when everything sent until then has arrived
			h    hotel
			asks bool
		}
		var all []sent
		now, arrived := int64(0), int64(0)
		pace := rapid.SampledFrom([][]int{{0, 1}, {0, 3, 10, 29}, {1, 31, 70}}).Draw(t, "pace")
		for range rapid.IntRange(1, 40).Draw(t, "changes") {
			now += int64(rapid.SampledFrom(pace).Draw(t, "ticks"))
			if rapid.IntRange(0, 4).Draw(t, "asks") == 0 && h.shows() == Live {
				now++ // after everything that arrived at this instant
				all = append(all, sent{told: told{"ok", now}, asks: true})
				now++
				continue
			}
			e := Event(rapid.IntRange(0, 3).Draw(t, "event"))
			next := m.after(h, e)
			if len(next) == 0 {
				continue
			}
			h = rapid.SampledFrom(next).Draw(t, "switch")
			for range rapid.SampledFrom([]int{1, 1, 1, 2, 4}).Draw(t, "copies") {
				at := now + int64(rapid.IntRange(0, horizon).Draw(t, "delay"))
				arrived = max(arrived, at)
				all = append(all, sent{told: told{"EDCR"[e:][:1], at}})
			}
			all[len(all)-1].last, all[len(all)-1].h = arrived, h
		}
		slices.SortStableFunc(all, func(x, y sent) int { return cmp.Compare(x.at, y.at) })
		s, a := State{}.Created(b, 0, horizon)
		for _, x := range all {
			s, a = tell(s, x.told)
		}
		for l := range NumLevels {
			for r := range NumReinstating {
				for c := range NumCanceling {
					if !m.fits(l, r, c) {
						continue
					}
					answers++
					got := a[l][r][c]
					if got&h.shows() == 0 {
						t.Fatalf("%04b, and in truth %04b", got, h.shows())
					}
					if got == Live || got&Live == 0 {
						certain++
					}
				}
			}
		}
	})
	t.Logf("%d answers, %d certain", answers, certain)
	if certain < answers/5 {
		t.Errorf("of %d answers only %d are certain", answers, certain)
	}
}

// TestText: a State is its text, and goes on from it as it would have.
func TestText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s State
		now := int64(rapid.IntRange(-1000, 1000).Draw(t, "start"))
		largest := 0
		for range rapid.IntRange(0, 60).Draw(t, "length") {
			now += int64(rapid.SampledFrom([]int{-50, 0, 1, 2, 4, 29, 31, 100}).Draw(t, "ticks"))
			switch rapid.IntRange(0, 9).Draw(t, "what") {
			case 0:
				s, _ = s.Created(rapid.SampledFrom([]Births{BornDisabled, BornEnabled, BornEither}).Draw(t, "born"), now, horizon)
			case 1:
				s, _ = s.Worked(now, horizon)
			case 2:
				s, _ = s.Doubted(now, horizon)
			default:
				s, _ = s.Arrived(Event(rapid.IntRange(0, 3).Draw(t, "event")), now, horizon)
			}
			text, err := s.MarshalText()
			if err != nil {
				t.Fatal(err)
			}
			largest = max(largest, len(text))
			var again State
			if err := again.UnmarshalText(text); err != nil || again != s || !again.Equal(s) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if largest > 4<<10 {
			t.Fatalf("a text of %d bytes", largest)
		}
	})
}

// TestAnswersText: answers are read as they were written, and nothing else is.
func TestAnswersText(t *testing.T) {
	_, a := tell(born(BornEnabled), told{"D", 1}, told{"C", 5}, told{"R", 7}, told{"D", 8})
	text, err := a.MarshalText()
	var again Answers
	if err != nil || again.UnmarshalText(text) != nil || again != a {
		t.Errorf("%s was read as %v", text, again)
	}
	for _, wrong := range []string{"", string(text[1:]), string(text) + "1", "0" + string(text[1:]), "F" + string(text[1:])} {
		if again.UnmarshalText([]byte(wrong)) == nil || again != (Answers{}) {
			t.Errorf("%q was read as %v", wrong, again)
		}
	}
}

// FuzzText: whatever text is accepted is written the same way again, and can be worked
// with.
func FuzzText(f *testing.F) {
	states := []State{{}, born(BornEnabled), born(BornEither)}
	s, _ := tell(born(BornEnabled), told{"D", 1}, told{"C", 5}, told{"ok", 6}, told{"R", 7}, told{"E", 33}, told{"D", 40})
	states = append(states, s)
	for _, s := range states {
		text, _ := s.MarshalText()
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s State
		if err := s.UnmarshalText(text); err != nil {
			if s != (State{}) {
				t.Fatal("half a State")
			}
			return
		}
		again, err := s.MarshalText()
		if err != nil || string(again) != string(text) {
			t.Fatalf("%q became %q: %v", text, again, err)
		}
		for e := range Event(4) {
			_, a := s.Arrived(e, 50, horizon)
			answers, _ := a.MarshalText()
			if slices.Contains(answers, '0') {
				t.Fatalf("%q: nothing is possible: %s", text, answers)
			}
		}
		s.Worked(50, horizon)
	})
}

func BenchmarkArrived(b *testing.B) {
	for _, c := range []struct {
		name string
		told []told
	}{
		{"alone", []told{{"D", 100}, {"E", 200}}},
		{"burst of 3", []told{{"D", 100}, {"E", 101}, {"D", 102}}},
		{"burst of 7", []told{{"D", 100}, {"E", 101}, {"D", 102}, {"C", 103}, {"R", 104}, {"E", 105}, {"D", 106}}},
		{"burst of 16", append(slices.Repeat([]told{{"D", 100}, {"E", 101}}, 4), slices.Repeat([]told{{"C", 102}, {"R", 103}}, 4)...)},
	} {
		b.Run(c.name, func(b *testing.B) {
			last := c.told[len(c.told)-1]
			s, _ := tell(born(BornEnabled), c.told[:len(c.told)-1]...)
			want, _ := tell(s, last)
			b.ReportAllocs()
			for b.Loop() {
				if got, _ := tell(s, last); got != want {
					b.Fatal("another State")
				}
			}
		})
	}
}
