package console_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestArrows: whatever way an integration takes, its arrow stays within the drawing and runs
// through no third state.
func TestArrows(t *testing.T) {
	type box struct{ left, top, right, bottom float64 }
	boxes := map[lifecycle.State]box{}
	for _, s := range lifecycle.States() {
		x, y := console.PlaceOf(s)
		boxes[s] = box{float64(x) - 61, float64(y) - 17, float64(x) + 61, float64(y) + 17}
	}
	for _, from := range lifecycle.States() {
		for _, to := range lifecycle.States() {
			if from == to {
				continue
			}
			d := console.ArrowOf(from, to)
			for _, p := range along(t, d) {
				if p[0] < -8 || p[0] > 368 || p[1] < 0 || p[1] > 396 {
					t.Errorf("%v → %v leaves the drawing at %v: %s", from, to, p, d)
					break
				}
				through := false
				for s, b := range boxes {
					if s != from && s != to && p[0] > b.left && p[0] < b.right && p[1] > b.top && p[1] < b.bottom {
						t.Errorf("%v → %v runs through %v at %v: %s", from, to, s, p, d)
						through = true
					}
				}
				if through {
					break
				}
			}
		}
	}
}

// along returns points of a path of straight lines and curves, about a tenth of each apart.
func along(t *testing.T, d string) (points [][2]float64) {
	t.Helper()
	var at [2]float64
	for len(d) > 0 {
		command := d[0]
		end := 1 + strings.IndexAny(d[1:]+"M", "MHVQC")
		var n []float64
		for field := range strings.FieldsSeq(d[1:end]) {
			v, err := strconv.ParseFloat(field, 64)
			if err != nil {
				t.Fatalf("%q: %v", d, err)
			}
			n = append(n, v)
		}
		d = d[end:]
		curve := [][2]float64{at}
		switch command {
		case 'H':
			curve = append(curve, [2]float64{n[0], at[1]})
		case 'V':
			curve = append(curve, [2]float64{at[0], n[0]})
		default:
			for i := 0; i+1 < len(n); i += 2 {
				curve = append(curve, [2]float64{n[i], n[i+1]})
			}
		}
		at = curve[len(curve)-1]
		if command == 'M' {
			continue
		}
		for step := range 21 {
			points = append(points, between(curve, float64(step)/20))
		}
	}
	return points
}

// between returns the point of a Bézier curve at a share of its way.
func between(curve [][2]float64, share float64) [2]float64 {
	for curve = append([][2]float64(nil), curve...); len(curve) > 1; curve = curve[:len(curve)-1] {
		for i := range len(curve) - 1 {
			for k := range 2 {
				curve[i][k] += share * (curve[i+1][k] - curve[i][k])
			}
		}
	}
	return curve[0]
}
