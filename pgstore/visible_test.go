package pgstore_test

import (
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store/storetest/deployment"
)

// ways are those in which an instance hears of what another has committed.
var ways = []struct {
	name    string
	options pgstore.Options
	most    time.Duration // for the median, where it is asked for
}{
	{"notify", pgstore.Options{Poll: time.Hour}, 5 * time.Millisecond},
	{"poll", pgstore.Options{NoListen: true, Poll: 100 * time.Millisecond}, 100 * time.Millisecond},
}

// visibility returns how long it takes from a commit on one instance, once it is
// acknowledged, to the answer of another: the median and the slowest hundredth.
func visibility(tb testing.TB, options pgstore.Options, samples int) (p50, p99 time.Duration) {
	c := pgtest.Shared(tb)
	options.Schema = c.Schema(tb)
	sealer := seal.Ephemeral()
	one := rackOn(tb, open(tb, c.Socket(), &options), sealer)
	two := rackOn(tb, open(tb, c.Socket(), &options), sealer)
	took := make([]time.Duration, samples)
	for n := range took {
		if v := two.Check(deployment.Token(n)); v.Status != lifecycle.Unknown {
			tb.Fatalf("%v before it was delivered", v.Status)
		}
		if _, err := one.Deliver(tb.Context(), webhook(tb, lifecycle.IntegrationCreated, n)); err != nil {
			tb.Fatal(err)
		}
		began := time.Now()
		for two.Check(deployment.Token(n)).Status != lifecycle.Valid {
			if time.Since(began) > settling {
				tb.Fatalf("delivery %d does not get through", n)
			}
			time.Sleep(20 * time.Microsecond)
		}
		took[n] = time.Since(began)
		time.Sleep(randomly(0, 20*time.Millisecond)) // no rhythm of the poll's
	}
	slices.Sort(took)
	return took[samples/2], took[samples*99/100]
}

// What one instance commits another answers with, by each of the two ways alone;
// how soon is asked for in long runs.
func TestVisibility(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			samples := cycles(20, 1000)
			p50, p99 := visibility(t, way.options, samples)
			t.Logf("from commit to Check on another instance: median %v, p99 %v of %d", p50, p99, samples)
			if samples > 20 && p50 > way.most {
				t.Errorf("median %v, want at most %v", p50, way.most)
			}
		})
	}
}

// Check over PostgreSQL beside Check over memory, in turns of some microseconds:
// both answer from the same kind of view, so that the ratio is 1.
func BenchmarkCheck(b *testing.B) {
	const hotels, batch = 2000, 64
	c := pgtest.Shared(b)
	here, err := keyrack.Open(b.Context(), memstore.New(nil), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer here.Close()
	there := rackOn(b, open(b, c.Socket(), &pgstore.Options{Schema: c.Schema(b)}), seal.Ephemeral())
	tokens := make([]string, hotels)
	for n := range hotels {
		tokens[n] = deployment.Token(n)
		for _, rack := range []*keyrack.Rack{here, there} {
			if _, err := rack.Deliver(b.Context(), webhook(b, lifecycle.IntegrationCreated, n)); err != nil {
				b.Fatal(err)
			}
		}
	}
	check := func(rack *keyrack.Rack, from int) float64 {
		began := time.Now()
		for _, token := range tokens[from : from+batch] {
			if rack.Check(token).Status != lifecycle.Valid {
				b.Fatal("a wrong answer")
			}
		}
		return float64(time.Since(began)) / batch
	}
	var memory, postgres, ratios []float64
	for i := 0; b.Loop(); i++ {
		from := i * batch % (hotels - batch)
		m, p := check(here, from), check(there, from)
		memory, postgres, ratios = append(memory, m), append(postgres, p), append(ratios, p/m)
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(testkit.Median(memory), "ns-memstore")
	b.ReportMetric(testkit.Median(postgres), "ns-pgstore")
	b.ReportMetric(testkit.Median(ratios), "ratio")
}
