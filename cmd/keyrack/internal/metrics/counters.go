package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// counters counts by the values of labels. The zero value is ready to use. It is safe for
// concurrent use.
type counters struct {
	mu     sync.Mutex
	counts map[string]uint64
}

func (c *counters) add(n uint64, of ...string) {
	key := strings.Join(of, "\x00")
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.counts == nil {
		c.counts = make(map[string]uint64)
	}
	c.counts[key] += n
}

// take returns the counts by the values of their labels.
func (c *counters) take() map[string]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// bounds are the upper bounds of the buckets of histograms, in seconds. Mews gives up
// after 5.
var bounds = [...]float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// histogram counts durations. The zero value is ready to use. It is safe for concurrent
// use.
type histogram struct {
	buckets [len(bounds) + 1]atomic.Uint64
	nanos   atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	i, _ := slices.BinarySearch(bounds[:], d.Seconds())
	h.buckets[i].Add(1)
	h.nanos.Add(int64(d))
}
