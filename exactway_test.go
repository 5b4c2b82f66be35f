package keyrack_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// This file judges Check without a prober by brute force, from bytes to answer: on a clock of
// quarter hours everything happens that can happen to an integration under every reading of
// Mews's documents, every webhook takes up to a horizon, IntegrationCreated too, and one may come
// twice. For all that can arrive it is noted which tokens may work then. A verdict must be as
// certain as that, and no more.

// arrival is a webhook that arrives at a quarter hour. Kinds are the letters of changesByLetter,
// "+" and "-" for a creation, and "1" and "2" for rotations, whose names tell no order.
type arrival struct {
	at   int
	kind byte
}

// possible says for each of three tokens whether it may work (1), may not (2), or both (3).
type possible [3]uint8

// past is how an integration is, and what has arrived or will.
type past struct {
	enabled, canceled, before, deleted bool
	key                                int
	keys                               [2]bool // that a rotation has brought
	arrivals                           []arrival
}

// conjecture is one way to read what Mews's documents leave open.
type conjecture struct {
	reinstating    int // leaves the flag, restores it, sets it
	clears, silent bool
}

// pasts notes what may be after everything that can arrive, of at most so many webhooks.
func (c conjecture) pasts(p past, tick, last, left int, note func(past)) {
	note(p)
	if tick > last || left == 0 || p.deleted {
		return
	}
	c.pasts(p, tick+1, last, left, note)
	flags := []bool{p.enabled}
	if c.silent && p.canceled {
		flags = append(flags, !p.enabled)
	}
	for _, p.enabled = range flags {
		for _, kind := range "EDCRX12" {
			next, tells, ok := c.after(p, byte(kind))
			if !ok || !tells { // what is not told is in flags
				continue
			}
			for lag := range 3 {
				once := next
				once.arrivals = append(slices.Clip(next.arrivals), arrival{tick + lag, byte(kind)})
				c.pasts(once, tick, last, left-1, note)
				for more := lag; left > 1 && more < 3; more++ {
					twice := once
					twice.arrivals = append(slices.Clip(once.arrivals), arrival{tick + more, byte(kind)})
					c.pasts(twice, tick, last, left-2, note)
				}
			}
		}
	}
}

// after returns the past after something happens, and whether Mews tells of it.
func (c conjecture) after(p past, kind byte) (next past, tells, ok bool) {
	next, tells, ok = p, true, true
	switch kind {
	case 'E', 'D':
		next.enabled = kind == 'E'
		tells, ok = !(c.silent && p.canceled), next.enabled != p.enabled
	case 'C':
		next.canceled, next.before, ok = true, p.enabled, !p.canceled
		next.enabled = p.enabled && !c.clears
	case 'R':
		next.canceled, ok = false, p.canceled
		next.enabled = [3]bool{p.enabled, p.before, true}[c.reinstating]
	case 'X':
		next.deleted = true
	default:
		n := int(kind - '1')
		next.key, ok = n+1, !p.keys[n]
		next.keys[n] = true
	}
	return next, tells, ok
}

// TestExactWholeWay: without a prober, where nothing is lost, no verdict is wrong, and Unknown is
// one only where two pasts that fit what has arrived disagree. A sample; KEYRACK_LONG=1 judges all,
// of up to three webhooks after the creation.
func TestExactWholeWay(t *testing.T) {
	most, judged := 2, 4000
	if long() {
		most, judged = 3, 200_000
	}
	scenes := map[string]possible{}
	for reinstating := range 3 {
		for _, clears := range []bool{false, true} {
			for _, silent := range []bool{false, true} {
				c := conjecture{reinstating, clears, silent}
				for _, enabled := range []bool{true, false} {
					for lag := range 3 {
						born := past{enabled: enabled, arrivals: []arrival{{lag, map[bool]byte{true: '+', false: '-'}[enabled]}}}
						c.pasts(born, 0, 3, most, func(p past) {
							flags := []bool{p.enabled}
							if c.silent && p.canceled {
								flags = append(flags, !p.enabled)
							}
							for _, flag := range flags {
								scene := sceneOf(p.arrivals)
								o := scenes[scene]
								for n := range o {
									if flag && !p.canceled && !p.deleted && p.key == n {
										o[n] |= 1
									} else {
										o[n] |= 2
									}
								}
								scenes[scene] = o
							}
						})
					}
				}
			}
		}
	}
	names := make([]string, 0, len(scenes))
	for name := range scenes {
		names = append(names, name)
	}
	slices.Sort(names)
	random := rand.New(rand.NewPCG(3, 3))
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	names = names[:min(judged, len(names))]
	answers, unknown, failed := 0, 0, 0
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(context.Background(), memstore.New(nil), &keyrack.Options{Sealer: seal.Ephemeral(), Poll: 24 * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		for tick := range 8 {
			for _, name := range names {
				for a := range strings.FieldsSeq(name) {
					if int(a[0]-'0') != tick {
						continue
					}
					if _, err := rack.Deliver(context.Background(), bodyOf(name, a[1])); err != nil {
						t.Fatal(err)
					}
				}
			}
			time.Sleep(15 * time.Minute)
		}
		time.Sleep(day)
		for _, name := range names {
			for n, o := range scenes[name] {
				v := rack.Check(tokenText(fmt.Sprint(name, n)))
				if v.Reason == lifecycle.ReasonUnfamiliar {
					continue
				}
				answers++
				want := map[uint8]lifecycle.Status{1: lifecycle.Valid, 2: lifecycle.Invalid, 3: lifecycle.Unknown}[o]
				if want == lifecycle.Unknown {
					unknown++
				}
				if v.Status != want {
					if failed++; failed <= 10 {
						t.Errorf("%s: token %d is %v (%v), want %v", name, n, v.Status, v.Reason, want)
					}
				}
			}
		}
	})
	t.Logf("%d scenes of %d, %d answers, %d of them Unknown, %d not as they must be", len(names), len(scenes), answers, unknown, failed)
	if answers < len(names) || unknown == 0 {
		t.Error("too little was judged")
	}
}

// sceneOf names what arrived, in order of time.
func sceneOf(arrivals []arrival) string {
	all := slices.Clone(arrivals)
	slices.SortFunc(all, func(a, b arrival) int {
		if a.at != b.at {
			return a.at - b.at
		}
		return int(a.kind) - int(b.kind)
	})
	var b strings.Builder
	for _, a := range all {
		fmt.Fprintf(&b, "%d%c ", a.at, a.kind)
	}
	return b.String()
}

// bodyOf is a webhook of the integration that a scene names.
func bodyOf(scene string, kind byte) []byte {
	switch kind {
	case '+', '-':
		return creation(scene, fmt.Sprint(scene, 0), lifecycle.FlagOf(kind == '+'))
	case '1', '2':
		return rotation(scene, fmt.Sprint(scene, string(kind)))
	case 'X':
		return deletion(scene, time.Time{})
	}
	return webhook(map[byte]lifecycle.Action{
		'E': lifecycle.IntegrationEnabled, 'D': lifecycle.IntegrationDisabled,
		'C': lifecycle.IntegrationCanceled, 'R': lifecycle.IntegrationReinstated,
	}[kind], scene, nil)
}
