package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestWeight: the page of one integration weighs at most 30 kB with everything that it
// loads, however long its history is, for a visitor who may do everything, too.
func TestWeight(t *testing.T) {
	d := newDesk(t, everything)
	d.aLife(1, ordinary)
	d.deliver(created(2, ordinary))
	for n := range 60 {
		d.deliver(later([]string{"IntegrationDisabled", "IntegrationEnabled"}[n%2], 2))
	}
	loads := d.get("/style.css").Body.Len() + d.get("/icon.svg").Body.Len()
	for n := 1; n <= 2; n++ {
		page := d.get("/integration?id=" + id(1, n)).Body.Len()
		t.Logf("hotel %d: %d bytes, and %d that it loads", n, page, loads)
		if page+loads > 30_000 {
			t.Errorf("hotel %d: %d bytes", n, page+loads)
		}
	}
}

// TestLongHistory: the page of an integration with as many entries as are kept by default takes
// less than 2 MB of memory, and a little more where it folds all of them anew. The page of one
// entry does not depend on how many there are.
func TestLongHistory(t *testing.T) {
	d := newDesk(t, nil)
	d.deliver(created(1, ordinary))
	entries := 1000
	if testkit.Race {
		entries = 200 // its memory is not a program's
	}
	for n := range entries - 1 {
		d.deliver(later([]string{"IntegrationDisabled", "IntegrationEnabled"}[n%2], 1))
	}
	for path, limit := range map[string]uint64{
		"/integration?id=" + id(1, 1):                               2_000_000,
		"/integration?id=" + id(1, 1) + fmt.Sprint("&at=", entries): 2_500_000,
		"/integration?id=" + id(1, 1) + "&at=50":                    2_000_000,
		"/integration?id=" + id(1, 1) + "&did=none":                 2_000_000,
		"/entry?id=" + id(1, 1) + "&at=100":                         200_000,
	} {
		var grew []uint64
		var before, after runtime.MemStats
		for range 11 {
			runtime.ReadMemStats(&before)
			w := d.get(path)
			runtime.ReadMemStats(&after)
			grew = append(grew, after.TotalAlloc-before.TotalAlloc)
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, w.Code)
			}
		}
		slices.Sort(grew)
		t.Logf("%s: %d kB of memory", path, grew[len(grew)/2]/1000)
		if grew[len(grew)/2] > limit {
			t.Errorf("%s takes %d bytes of memory", path, grew[len(grew)/2])
		}
	}
}

// TestSpeed: over many integrations in memory, half of all requests for one integration are
// answered within 10 ms, and for a list or the overview within 50 ms, and none of them takes
// 2 MB of memory. With KEYRACK_LONG there are a hundred thousand of them, with ten entries
// each. By default there are 2,000, and only the memory counts: the time is a busy machine's.
func TestSpeed(t *testing.T) {
	integrations, long := 2_000, os.Getenv("KEYRACK_LONG") != ""
	if long {
		integrations = 100_000
	}
	d := newDesk(t, nil)
	for n := range integrations { // a delivery at a time, which is what takes this test so long
		d.deliver(created(n, names{"Channel", fmt.Sprint("Hotel ", n*7919%integrations), ""}))
		for i := range 9 {
			d.deliver(later([]string{"IntegrationDisabled", "IntegrationEnabled"}[i%2], n))
		}
	}
	for end, err := d.rack.JournalEnd(t.Context()); d.rack.SyncStatus().Position < end; { // else lists are made anew each time
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
	for strings.Contains(d.get("/").Body.String(), "being counted") {
		time.Sleep(10 * time.Millisecond) // once, in the background
	}
	for path, limit := range map[string]time.Duration{
		"/integration?id=" + id(1, 7): 10 * time.Millisecond,
		"/":                           50 * time.Millisecond,
		"/integrations":               50 * time.Millisecond,
		"/integrations?q=hotel+77&sort=oldest&status=invalid": 50 * time.Millisecond,
		"/deliveries": 50 * time.Millisecond,
	} {
		d.get(path)
		if long {
			time.Sleep(3 * time.Second) // what it has set off in the background is no part of a request
		}
		var took []time.Duration
		var grew []uint64 // the median, because work in the background falls into some of them
		var before, after runtime.MemStats
		const times = 21
		for range times {
			req := httptest.NewRequest(http.MethodGet, path, nil)
			w := httptest.NewRecorder()
			runtime.ReadMemStats(&before)
			began := time.Now()
			d.page.ServeHTTP(w, req)
			took = append(took, time.Since(began))
			runtime.ReadMemStats(&after)
			grew = append(grew, after.TotalAlloc-before.TotalAlloc)
			if w.Code != http.StatusOK {
				t.Fatalf("%s: %d", path, w.Code)
			}
		}
		slices.Sort(took)
		slices.Sort(grew)
		each := grew[times/2]
		t.Logf("%s: half within %v, %d kB of memory", path, took[times/2], each/1000)
		if long && took[times/2] > limit {
			t.Errorf("%s: half within %v, want %v", path, took[times/2], limit)
		}
		if each > 2_000_000 {
			t.Errorf("%s takes %d bytes of memory", path, each)
		}
	}
}
