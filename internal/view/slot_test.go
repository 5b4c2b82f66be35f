package view_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/internal/view"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestOvertaken: a request is overtaken by the deliveries and answers that other processes took
// in, as soon as the view knows of them, and by nothing that this process added.
func TestOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v, version := view.New(), uint64(0)
		publish := func(r lifecycle.Record, foreign bool) {
			version++
			r.ID, r.Version = "a", version
			v.Publish(r, [16]byte{}, foreign)
		}
		overtaken := func(what string, want bool) {
			t.Helper()
			began := time.Now()
			time.Sleep(time.Second)
			if v.Overtaken("a", began) {
				t.Errorf("%s: what began afterwards is overtaken", what)
			}
			if v.Overtaken("a", began.Add(-time.Minute)) != want {
				t.Errorf("%s: what began before is overtaken: %v", what, !want)
			}
			time.Sleep(2 * time.Minute)
		}
		key := lifecycle.Key{Digest: digestOf(1)}
		r := lifecycle.Record{Generation: 1, Keys: []lifecycle.Key{key}}
		overtaken("nothing", false)
		publish(r, false)
		overtaken("its own", false)
		r.Labels = "a=1"
		publish(r, true)
		overtaken("a label", false)
		for what, change := range map[string]func(k *lifecycle.Key){
			"a delivery":      func(*lifecycle.Key) { r.Generation++ },
			"an answer":       func(k *lifecycle.Key) { k.Began++ },
			"a doubt":         func(k *lifecycle.Key) { k.Doubt++ },
			"a former answer": func(k *lifecycle.Key) { k.Answer++ },
		} {
			change(&key)
			r.Keys = []lifecycle.Key{key}
			publish(r, true)
			overtaken(what, true)
			r.Generation++
			publish(r, false)
			overtaken("its own after "+what, false)
		}
		v.Drop("a")
		publish(r, true)
		overtaken("what was read anew", true)
		r.Version = 1
		r.ID = "a"
		v.Replace(r, [16]byte{})
		overtaken("another history", false) // on the same ground
		version = 0
		v.Drop("a")
		publish(lifecycle.Record{Keys: []lifecycle.Key{{Digest: digestOf(2)}}}, true)
		overtaken("an import", false) // nothing can have been later than a call
	})
}
