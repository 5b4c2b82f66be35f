package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// course is what happens to one hotel, what becomes of the webhooks about it, and how the
// first questions about it are answered.
type course struct {
	disabled bool   // when it connects
	acts     string // a letter of changesByLetter for each change
	lost     uint   // bit i is set where the i-th webhook never arrives
	answers  string // '4' is a 401, '-' is silence, anything else the truth
}

func (c course) String() string {
	born := "on"
	if c.disabled {
		born = "off"
	}
	return fmt.Sprintf("%s %q, lost %b, answers %q", born, c.acts, c.lost, c.answers)
}

const letters = "EDCRXKed"

var changesByLetter = map[rune]func(*mewstest.Integration) *mewstest.Message{
	'E': (*mewstest.Integration).Enable, 'D': (*mewstest.Integration).Disable,
	'C': (*mewstest.Integration).Cancel, 'R': (*mewstest.Integration).Reinstate,
	'X': (*mewstest.Integration).Delete, 'K': (*mewstest.Integration).RotateKey,
	'd': (*mewstest.Integration).DisableInMews, 'e': (*mewstest.Integration).EnableInMews,
}

// mishaps are how the questions about one hotel are answered at first.
var mishaps = []string{"", "4", "-", "24", "2-", "44", "4-", "-4", "--", "444", "4444", "24444", "------"}

// courses returns every course of up to so many changes, of them at most two rotations.
func courses(changes int) (all []course) {
	var grow func(acts string)
	grow = func(acts string) {
		for _, disabled := range []bool{false, true} {
			if !happens(acts, disabled) {
				continue
			}
			for lost := range uint(1) << (len(acts) + 1) {
				for _, answers := range mishaps {
					all = append(all, course{disabled, acts, lost, answers})
				}
			}
		}
		if len(acts) == changes || strings.HasSuffix(acts, "X") {
			return
		}
		for _, a := range letters {
			if a != 'K' || strings.Count(acts, "K") < 2 {
				grow(acts + string(a))
			}
		}
	}
	grow("")
	return all
}

// happens reports whether each act changes something, under the simplest reading.
func happens(acts string, disabled bool) bool {
	mews := mewstest.New(&mewstest.Options{Manual: true})
	hotel := mews.ConnectAs(mewstest.Connection{Hotel: "A", Disabled: disabled})
	for n, a := range acts {
		if changesByLetter[a](hotel); mews.Stats().Changes != n+2 {
			return false
		}
	}
	return true
}

// journey is a course under way.
type journey struct {
	course
	hotel  *mewstest.Integration
	random *rand.Rand
	tokens []string // that the hotel has had
	heard  []*mewstest.Message
}

// What lies between two changes, and between a change and its webhook.
var (
	pauses = []time.Duration{5 * time.Second, 3 * time.Minute, 40 * time.Minute, 5 * time.Hour, 30 * time.Hour}
	lags   = []time.Duration{0, 0, 20 * time.Second, 4 * time.Minute, 25 * time.Minute}
)

func pick[T any](r *rand.Rand, of []T) T { return of[r.IntN(len(of))] }

// travel lets a course happen, and returns when all webhooks have arrived.
func (j *journey) travel(mews *mewstest.World, answers *mishap) {
	var sent sync.WaitGroup
	told := 0
	tell := func(m *mewstest.Message) {
		if m == nil {
			return
		}
		lost := j.lost>>told&1 == 1
		told++
		if lost {
			m.Drop()
			return
		}
		lag, again := pick(j.random, lags), j.random.IntN(4) == 0
		j.heard = append(j.heard, m)
		m.Hold()
		sent.Go(func() {
			time.Sleep(lag)
			m.Deliver()
			if again {
				time.Sleep(90 * time.Second)
				m.Deliver()
			}
		})
	}
	time.Sleep(time.Duration(j.random.IntN(7200)) * time.Second)
	j.hotel = mews.ConnectAs(mewstest.Connection{Hotel: "Hotel " + j.String(), Disabled: j.disabled})
	j.note(answers)
	late := j.random.IntN(2) == 0
	if !late {
		answers.set(j.hotel, j.answers)
	}
	tell(j.hotel.Latest())
	for _, a := range j.acts {
		time.Sleep(pick(j.random, pauses))
		m := changesByLetter[a](j.hotel)
		j.note(answers)
		tell(m)
	}
	if late {
		answers.set(j.hotel, j.answers)
	}
	sent.Wait()
}

func (j *journey) note(answers *mishap) {
	if token := j.hotel.Token(); !slices.Contains(j.tokens, token) {
		j.tokens = append(j.tokens, token)
		answers.know(token, j.hotel)
	}
}

// mishap is a prober that refuses, or keeps silent about, the first questions about a hotel.
type mishap struct {
	connector.Prober

	mu      sync.Mutex
	hotels  map[string]*mewstest.Integration // by token
	answers map[*mewstest.Integration]string
}

func (m *mishap) know(token string, hotel *mewstest.Integration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hotels[token] = hotel
}

func (m *mishap) set(hotel *mewstest.Integration, answers string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answers[hotel] = answers
}

// end has all questions answered from now on.
func (m *mishap) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.answers)
}

func (m *mishap) Probe(ctx context.Context, token lifecycle.Token, enterprise string) (connector.Answer, error) {
	m.mu.Lock()
	hotel := m.hotels[token.Reveal()]
	next := byte('2')
	if rest := m.answers[hotel]; rest != "" {
		next, m.answers[hotel] = rest[0], rest[1:]
	}
	m.mu.Unlock()
	time.Sleep(200 * time.Millisecond)
	switch next {
	case '4':
		return connector.Answer{Kind: connector.Unauthorized, Status: 401}, nil
	case '-':
		return connector.Answer{}, errors.New("made-up silence")
	}
	return m.Prober.Probe(ctx, token, enterprise)
}

// everyReading are the readings that a prober must be right under.
var everyReading = slices.Collect(mewstest.EveryReading(mewstest.Readings{}))

// travels lets many courses happen in one fleet, beside hotels that nothing happens to,
// and returns what is wrong or Unknown one lease after the last webhook.
func travels(t *testing.T, seed uint64, batch []course, witnesses int) (found []string) {
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(seed, 21))
		readings := pick(random, everyReading)
		readings.MewsTells = random.IntN(2) == 0
		readings.SlowKey = pick(random, []time.Duration{0, 0, 0, 30 * time.Second, 20 * time.Minute})
		readings.FormerKey = pick(random, []time.Duration{0, 0, 0, 2 * time.Minute, time.Hour})
		secret := lifecycle.NewToken("made-up secret")
		mews := mewstest.New(&mewstest.Options{Seed: seed, Secret: secret, Lag: mewstest.AtOnce, Readings: readings, LogMost: -1})
		asking, err := connector.New(connector.Demo, mews.Connector().ClientToken(), "Exploration 1.0", &connector.Options{Transport: mews.Connector()})
		if err != nil {
			t.Fatal(err)
		}
		answers := &mishap{Prober: asking, hotels: map[string]*mewstest.Integration{}, answers: map[*mewstest.Integration]string{}}
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), &keyrack.Options{Prober: answers, Poll: time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		handler, err := rack.Handler([]keyrack.Secret{{Name: "exploration", Value: secret}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mews.DeliverTo(handler)
		for n := range witnesses {
			mews.Connect(fmt.Sprintf("Witness %d", n))
		}
		time.Sleep(time.Hour)
		journeys := make([]*journey, len(batch))
		var all sync.WaitGroup
		for n, c := range batch {
			h := fnv.New64a()
			_, _ = h.Write([]byte(c.String()))
			journeys[n] = &journey{course: c, random: rand.New(rand.NewPCG(seed, h.Sum64()))}
			all.Go(func() { journeys[n].travel(mews, answers) })
		}
		all.Wait()
		time.Sleep(max(readings.SlowKey, readings.FormerKey))
		answers.end()
		time.Sleep(maxAge + time.Minute)
		// judge finds what is wrong, or Unknown; patient, former tokens may be Unknown.
		judge := func(when string, patient bool) {
			synctest.Wait()
			for _, j := range journeys {
				latest := len(j.tokens) - 1 // that was heard of
				for latest > 0 && rack.Check(j.tokens[latest]).Reason == lifecycle.ReasonUnfamiliar {
					latest--
				}
				for n, token := range j.tokens {
					v := rack.Check(token)
					if v.Reason == lifecycle.ReasonUnfamiliar || patient && n != latest && v.Status == lifecycle.Unknown {
						continue
					}
					if works := mews.Works(token); v.Status == lifecycle.Unknown || v.Active() != works {
						found = append(found, fmt.Sprintf("%v, %s: token %d of %d works: %v; it is %v (%v); %+v", j.course, when, n, len(j.tokens), works, v.Status, v.Reason, readings))
					}
				}
			}
		}
		judge("after a lease", false)
		for _, j := range journeys {
			if len(j.heard) > 0 {
				pick(j.random, j.heard).Deliver()
			}
		}
		time.Sleep(30 * time.Minute)
		judge("after an old webhook", true)
	})
	return found
}

// fleetSizes are how many courses happen at once: alone, each is asked for without others'
// questions between, and together, refusals come so close that they look like trouble.
var fleetSizes = []int{1, 60, 3, 60, 10, 60, 60}

// TestWholeWay explores what can happen to a hotel, from the bytes of its webhooks to the
// answer of Check, through a store and the real schedule: every history up to a length, every
// part of it lost, and the first questions refused or silent. Times, orders, copies and readings
// are drawn by seed. Once nothing changes any more and Mews answers, every verdict is right and
// none is Unknown after one lease, without a further delivery. Half an hour after an old webhook has
// come once more, none is wrong, and no hotel's latest token is Unknown. KEYRACK_LONG=1 explores all of up to 3 changes, and 20,000 of up
// to 4; otherwise a sample.
func TestWholeWay(t *testing.T) {
	explore := func(name string, all []course, most int) {
		t.Run(name, func(t *testing.T) {
			random := rand.New(rand.NewPCG(7, 7))
			random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			all := all[:min(most, len(all))]
			t.Logf("%d courses", len(all))
			failed := 0
			for seed := uint64(1); len(all) > 0; seed++ {
				n := min(len(all), fleetSizes[seed%uint64(len(fleetSizes))])
				for _, problem := range travels(t, seed, all[:n], 1+int(seed%3)) {
					if failed++; failed <= 20 {
						t.Errorf("seed %d, a fleet of %d: %s", seed, n, problem)
					}
				}
				all = all[n:]
			}
		})
	}
	if testkit.Race {
		explore("up to 3 changes", courses(3), 100)
		return
	}
	if !long() {
		explore("up to 3 changes", courses(3), 600)
		return
	}
	explore("up to 3 changes", courses(3), 1<<30)
	explore("up to 4 changes", courses(4), 20_000)
}
