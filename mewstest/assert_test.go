package mewstest_test

import (
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// nothing is a receiver that takes everything and makes nothing of it.
type nothing struct{}

func (nothing) ServeHTTP(rw http.ResponseWriter, _ *http.Request) {
	rw.WriteHeader(http.StatusNoContent)
}

// fake is a TB that remembers.
type fake struct {
	mu       sync.Mutex
	errors   []string
	cleanups []func()
}

func (f *fake) Helper()          {}
func (f *fake) Cleanup(c func()) { f.cleanups = append(f.cleanups, c) }

func (f *fake) Errorf(s string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors = append(f.errors, fmt.Sprintf(s, args...))
}

// failures returns how often the test has failed so far.
func (f *fake) failures() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.errors)
}

func (f *fake) String() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return strings.Join(f.errors, "\n")
}

func (f *fake) end() {
	for _, c := range f.cleanups {
		c()
	}
}

// TestEventuallyBites: each way of being wrong at the end is found, and told.
func TestEventuallyBites(t *testing.T) {
	works := func(mews *mewstest.World) mewstest.Ask {
		return func(token string) lifecycle.Status {
			if mews.Works(token) {
				return lifecycle.Valid
			}
			return lifecycle.Invalid
		}
	}
	for name, tt := range map[string]struct {
		ask             mewstest.Ask // nil: the truth
		right, notWrong bool
	}{
		"the truth":   {nil, true, true},
		"all valid":   {allValid, false, false},
		"all invalid": {allInvalid, false, false},
		"all unknown": {allUnknown, false, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				mews := mewstest.New(&mewstest.Options{Seed: 99, Receiver: nothing{}})
				on, off := mews.Connect("A"), mews.Connect("B")
				off.Disable()
				former := on.Token()
				on.RotateKey()
				ask := tt.ask
				if ask == nil {
					ask = works(mews)
				}
				var right, notWrong fake
				began := time.Now()
				if got := mews.EventuallyRight(&right, ask, time.Hour); got != tt.right || got != (right.failures() == 0) {
					t.Errorf("right: %t, want %t: %s", got, tt.right, &right)
				}
				if took := time.Since(began); took > 6*time.Minute != !tt.right {
					t.Errorf("after %s", took)
				}
				if got := mews.EventuallyNotWrong(&notWrong, ask, time.Hour); got != tt.notWrong || got != (notWrong.failures() == 0) {
					t.Errorf("not wrong: %t, want %t: %s", got, tt.notWrong, &notWrong)
				}
				if tt.right {
					return
				}
				text := right.String()
				for _, want := range []string{"seed 99", "of 2 integrations", "changed connected", "answered IntegrationCreated (message 1, attempt 1): 204"} {
					if !strings.Contains(text, want) {
						t.Errorf("the failure does not tell %q:\n%s", want, text)
					}
				}
				for _, hidden := range []string{former, on.Token(), off.Token()} {
					if strings.Contains(text, hidden) {
						t.Errorf("the failure shows a token:\n%s", text)
					}
				}
			})
		})
	}
	synctest.Test(t, func(t *testing.T) {
		// A former token that is still believed in.
		mews := mewstest.New(&mewstest.Options{Receiver: nothing{}})
		hotel := mews.Connect("A")
		hotel.RotateKey()
		var f fake
		if mews.EventuallyRight(&f, allValid, 0) || !strings.Contains(f.String(), "a former token (1 before the current one) does not work, and is called valid: wrong") {
			t.Errorf("not found: %s", &f)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		// A former token may be forgotten, and need not be known to work still.
		mews := mewstest.New(&mewstest.Options{Receiver: nothing{}, Readings: mewstest.Readings{FormerKey: day}})
		hotel := mews.Connect("A")
		hotel.RotateKey()
		for _, former := range []lifecycle.Status{lifecycle.Unknown, lifecycle.Valid, lifecycle.Invalid} {
			mews.EventuallyRight(t, func(token string) lifecycle.Status {
				if token == hotel.Token() {
					return lifecycle.Valid
				}
				return former
			}, 0)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		// It ends whatever goes on, and says that the receiver panics.
		mews := mewstest.New(&mewstest.Options{Receiver: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(1) })})
		mews.Connect("A")
		mews.Live(mewstest.Rates{Every: time.Minute})
		var f fake
		if mews.EventuallyRight(&f, allUnknown, 0) || !strings.Contains(f.String(), "the receiver panicked in 3 attempts") {
			t.Errorf("%s", &f)
		}
	})
}

// TestNeverSilentlyWrong: a lapse is told when it has lasted too long, not before,
// once; one that ends in time is none.
func TestNeverSilentlyWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		mews := mewstest.New(&mewstest.Options{Seed: 4, Receiver: keys, Lag: mewstest.Spread{Min: time.Minute, Max: time.Minute}})
		hotel := mews.Connect("A")
		time.Sleep(time.Hour)
		var f fake
		watch := mews.NeverSilentlyWrong(&f, keys.Status, time.Minute)
		hotel.Disable()
		time.Sleep(time.Hour)
		hotel.Enable()
		time.Sleep(time.Hour)
		if f.failures() > 0 {
			t.Fatalf("a minute late, by a limit of a minute: %s", &f)
		}
		hotel.Disable().Drop()
		time.Sleep(time.Minute)
		watch.Account() // looks at all
		if f.failures() > 0 {
			t.Fatalf("too early: %s", &f)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if f.failures() != 1 || !strings.Contains(f.String(), "silently wrong since day 0 03:00:00.000") || !strings.Contains(f.String(), "lost IntegrationDisabled") {
			t.Fatalf("%s", &f)
		}
		time.Sleep(24 * time.Hour)
		if f.failures() != 1 {
			t.Fatalf("told again: %s", &f)
		}
		hotel.Enable()
		hotel.DisableInMews()
		time.Sleep(24 * time.Hour)
		if f.failures() != 2 {
			t.Fatalf("another lapse: %s", &f)
		}
		f.end()
		hotel.EnableInMews()
		hotel.Disable().Drop()
		time.Sleep(24 * time.Hour)
		if f.failures() != 2 {
			t.Fatalf("told after the end: %s", &f)
		}
	})
}

// TestAccount: the sums are those of a life that can be reckoned by hand.
func TestAccount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive()
		mews := mewstest.New(&mewstest.Options{Receiver: keys, Manual: true})
		watch := mews.Watch(keys.Status)
		hotel := mews.Connect("A")
		created := hotel.Latest()
		time.Sleep(1 * day) // unknown for 1 day
		created.Deliver()
		time.Sleep(2 * day) // right for 2
		off := hotel.Disable()
		time.Sleep(3 * day) // wrong for 3
		off.Deliver()
		time.Sleep(1 * day) // right for 1
		on := hotel.Enable()
		time.Sleep(2 * day) // denied for 2
		on.Deliver()
		gone := hotel.Delete()
		time.Sleep(1 * day) // wrong for 1
		gone.Deliver()
		time.Sleep(100 * day) // over
		want := [4]float64{mewstest.Right: 3, mewstest.Undecided: 1, mewstest.Denied: 2, mewstest.Wrong: 4}
		a := watch.Account()
		for s, days := range want {
			if math.Abs(a.Days[s]-days) > 1e-6 {
				t.Errorf("%s for %f days, want %f", mewstest.Stance(s), a.Days[s], days)
			}
		}
		if a.Longest[mewstest.Wrong] != 3*day || math.Abs(a.Share(mewstest.Wrong)-0.4) > 1e-6 {
			t.Errorf("%s", a)
		}
		watch.Stop()
		watch.Stop()
		time.Sleep(day)
		if watch.Account() != a {
			t.Error("it goes on after Stop")
		}
	})
}
