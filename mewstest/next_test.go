package mewstest_test

import (
	"io"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// Next decides what becomes of the next message alone.
func TestNextDecidesOneFate(t *testing.T) {
	for name, test := range map[string]struct {
		fates []mewstest.Fate
		want  []string
	}{
		"none":      {nil, []string{"IntegrationCreated", "IntegrationDisabled", "IntegrationEnabled"}},
		"lose":      {[]mewstest.Fate{{}, {Lose: true}}, []string{"IntegrationCreated", "IntegrationEnabled"}},
		"duplicate": {[]mewstest.Fate{{}, {Duplicate: true}}, []string{"IntegrationCreated", "IntegrationDisabled", "IntegrationDisabled", "IntegrationEnabled"}},
		"delay":     {[]mewstest.Fate{{}, {Delay: 2 * time.Hour}}, []string{"IntegrationCreated", "IntegrationEnabled", "IntegrationDisabled"}},
		"reorder":   {[]mewstest.Fate{{}, {Reorder: true}}, []string{"IntegrationCreated", "IntegrationEnabled", "IntegrationDisabled"}},
		"reorder two": {[]mewstest.Fate{{Reorder: true}, {Reorder: true}},
			[]string{"IntegrationEnabled", "IntegrationCreated", "IntegrationDisabled"}},
		"reorder before one that is lost": {[]mewstest.Fate{{Reorder: true}, {Lose: true}},
			[]string{"IntegrationEnabled", "IntegrationCreated"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			w := mewstest.New(&mewstest.Options{
				Start: epoch, Lag: mewstest.Spread{Min: 1, Max: 1},
				Faults: mewstest.Faults{CopyAfter: mewstest.Spread{Min: 1, Max: 1}},
				Receiver: http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
					body, _ := io.ReadAll(req.Body)
					e, err := events.Decode(body)
					if err != nil {
						t.Error(err)
					}
					got = append(got, e.Action.String())
					rw.WriteHeader(http.StatusNoContent)
				}),
			})
			for _, f := range test.fates {
				w.Next(f)
			}
			hotel := w.Connect("Alpenrose")
			w.Advance(time.Minute)
			hotel.Disable()
			w.Advance(time.Minute)
			hotel.Enable()
			w.Advance(3 * time.Hour)
			if !slices.Equal(got, test.want) {
				t.Errorf("arrived: %v, want %v", got, test.want)
			}
		})
	}
}
