package mewstest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/mewstest"
)

type acts = []func(*mewstest.Integration) *mewstest.Message

var (
	enable        = (*mewstest.Integration).Enable
	disable       = (*mewstest.Integration).Disable
	cancel        = (*mewstest.Integration).Cancel
	reinstate     = (*mewstest.Integration).Reinstate
	disableInMews = (*mewstest.Integration).DisableInMews
	enableInMews  = (*mewstest.Integration).EnableInMews
)

// TestReadings: whether the token works after some acts, and how many of them told.
func TestReadings(t *testing.T) {
	for name, tt := range map[string]struct {
		readings mewstest.Readings
		acts     acts
		works    bool
		told     int
	}{
		"canceled":                        {mewstest.Readings{}, acts{cancel}, false, 1},
		"canceled, works":                 {mewstest.Readings{CanceledWorks: true}, acts{cancel}, true, 1},
		"canceled, works, disabled":       {mewstest.Readings{CanceledWorks: true}, acts{cancel, disable}, false, 2},
		"leaves":                          {mewstest.Readings{}, acts{cancel, reinstate}, true, 2},
		"leaves disabled":                 {mewstest.Readings{}, acts{disable, cancel, reinstate}, false, 3},
		"leaves what was set meanwhile":   {mewstest.Readings{}, acts{disable, cancel, enable, reinstate}, true, 4},
		"restores":                        {mewstest.Readings{Reinstating: mewstest.ReinstatingRestores}, acts{disable, cancel, enable, reinstate}, false, 4},
		"restores what canceling cleared": {mewstest.Readings{Reinstating: mewstest.ReinstatingRestores, CancelingClears: true}, acts{cancel, reinstate}, true, 2},
		"sets":                            {mewstest.Readings{Reinstating: mewstest.ReinstatingSets}, acts{disable, cancel, reinstate}, true, 3},
		"clears":                          {mewstest.Readings{CancelingClears: true}, acts{cancel, reinstate}, false, 2},
		"clears, enabled after":           {mewstest.Readings{CancelingClears: true}, acts{cancel, reinstate, enable}, true, 3},
		"silent while canceled":           {mewstest.Readings{WhileCanceled: mewstest.TogglesSilent}, acts{cancel, disable, reinstate}, false, 2},
		"refused while canceled":          {mewstest.Readings{WhileCanceled: mewstest.TogglesRefused}, acts{cancel, disable, reinstate}, true, 2},
		"canceled twice":                  {mewstest.Readings{CancelingClears: true, Reinstating: mewstest.ReinstatingRestores}, acts{cancel, cancel, reinstate}, true, 2},
		"disabled in Mews":                {mewstest.Readings{}, acts{disableInMews}, false, 0},
		"disabled in Mews, enabled":       {mewstest.Readings{}, acts{disableInMews, disable, enable}, false, 2},
		"disabled in Mews, tells":         {mewstest.Readings{MewsTells: true}, acts{disable, disableInMews, enableInMews}, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			mews := mewstest.New(&mewstest.Options{Readings: tt.readings, Manual: true})
			hotel := mews.Connect("A")
			told := 0
			for _, act := range tt.acts {
				if act(hotel) != nil {
					told++
				}
			}
			if hotel.Works() != tt.works || told != tt.told {
				t.Errorf("works %t, told %d times", hotel.Works(), told)
			}
		})
	}
	n := 0
	for range mewstest.EveryReading(mewstest.Readings{}) {
		n++
	}
	if n != 18 {
		t.Errorf("%d readings", n)
	}
}

// TestFormerKey: a former token works for as long as the reading says.
func TestFormerKey(t *testing.T) {
	for _, lasts := range []time.Duration{0, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			mews := mewstest.New(&mewstest.Options{Readings: mewstest.Readings{FormerKey: lasts}})
			hotel := mews.Connect("A")
			former := hotel.Token()
			hotel.RotateKey()
			if mews.Works(former) != (lasts > 0) || !mews.Works(hotel.Token()) {
				t.Errorf("%s: at once: %t", lasts, mews.Works(former))
			}
			time.Sleep(time.Hour - 1)
			if mews.Works(former) != (lasts > 0) {
				t.Errorf("%s: just before", lasts)
			}
			time.Sleep(time.Nanosecond)
			if mews.Works(former) || !mews.Works(hotel.Token()) {
				t.Errorf("%s: after", lasts)
			}
			for range 20 {
				hotel.RotateKey()
			}
			if mews.Works(former) || !mews.Works(hotel.Token()) {
				t.Error("after many")
			}
		})
	}
}

// TestSlowKey: a new token works only after a while, and the former as long as it is said to.
func TestSlowKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mews := mewstest.New(&mewstest.Options{Readings: mewstest.Readings{SlowKey: 30 * time.Second, FormerKey: time.Hour}})
		hotel := mews.Connect("A")
		former := hotel.Token()
		if !hotel.Works() {
			t.Error("the first token is slow, too")
		}
		hotel.RotateKey()
		for _, at := range []struct {
			after           time.Duration
			former, current bool
		}{{29 * time.Second, true, false}, {2 * time.Second, true, true}, {time.Hour, false, true}} {
			time.Sleep(at.after)
			if mews.Works(former) != at.former || hotel.Works() != at.current {
				t.Errorf("after another %v the former works: %v, the current: %v", at.after, mews.Works(former), hotel.Works())
			}
		}
	})
}
