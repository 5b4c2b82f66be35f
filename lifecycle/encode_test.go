package lifecycle_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	jsonv2 "github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/internal/testkit"
	. "github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// encodings are what the package writes by hand, each with what reflection
// writes of the same struct, and with the way back.
var encodings = map[string]struct {
	example any
	byHand  func(v any) []byte
	plain   func(v any) any
	parse   func([]byte) (any, error)
}{
	"record": {
		Record{},
		func(v any) []byte { return AppendRecord(nil, v.(Record)) },
		func(v any) any {
			return struct {
				Format int
				Record
			}{7, v.(Record)}
		},
		func(b []byte) (any, error) { return ParseRecord(b) },
	},
	"evidence": {
		Evidence{},
		func(v any) []byte { return AppendEvidence(nil, v.(Evidence)) },
		func(v any) any {
			return struct {
				Format int
				Evidence
			}{7, v.(Evidence)}
		},
		func(b []byte) (any, error) { return ParseEvidence(b) },
	},
}

// names spells what has no text form of its own.
var names = jsonv2.WithMarshalers(jsonv2.JoinMarshalers(
	jsonv2.MarshalFunc(func(f Flag) ([]byte, error) { return strconv.AppendQuote(nil, f.String()), nil }),
	jsonv2.MarshalFunc(func(s KeyStatus) ([]byte, error) { return strconv.AppendQuote(nil, s.String()), nil }),
))

// testEncoding holds one value's encoding against reflection's, and reads it back.
func testEncoding(t interface {
	Helper()
	Fatalf(string, ...any)
}, name string, v any) {
	t.Helper()
	encoding := encodings[name]
	got := encoding.byHand(v)
	want, err := jsonv2.Marshal(encoding.plain(v), jsonv1.FormatDurationAsNano(true), names)
	if err != nil || string(got) != string(want) {
		t.Fatalf("%s: by hand and by reflection (%v):\n%s\n%s", name, err, got, want)
	}
	back, err := encoding.parse(got)
	if diff := cmp.Diff(v, back); err != nil || diff != "" {
		t.Fatalf("%s: read back (%v, -written +read):\n%s\n%s", name, err, diff, got)
	}
}

// TestEncodeEveryField sets the fields one by one, so that none can be forgotten.
func TestEncodeEveryField(t *testing.T) {
	for name, encoding := range encodings {
		testEncoding(t, name, encoding.example)
		fields := 0
		var visit func(root reflect.Value, path func(reflect.Value) reflect.Value)
		visit = func(root reflect.Value, path func(reflect.Value) reflect.Value) {
			field := path(root)
			switch {
			case leaf(field.Type()):
				fresh := reflect.New(root.Type()).Elem()
				set(path(fresh), 1)
				testEncoding(t, name, fresh.Interface())
				fields++
			case field.Kind() == reflect.Slice:
				visit(root, func(v reflect.Value) reflect.Value {
					s := path(v)
					s.Set(reflect.MakeSlice(s.Type(), 1, 1))
					return s.Index(0)
				})
			default:
				for i := range field.NumField() {
					visit(root, func(v reflect.Value) reflect.Value { return path(v).Field(i) })
				}
			}
		}
		root := reflect.New(reflect.TypeOf(encoding.example)).Elem()
		visit(root, func(v reflect.Value) reflect.Value { return v })
		if fields < 6 {
			t.Errorf("%s: only %d fields", name, fields)
		}
	}
}

// TestEncodeAnything fills all fields at random.
func TestEncodeAnything(t *testing.T) {
	for name, encoding := range encodings {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			v := reflect.New(reflect.TypeOf(encoding.example)).Elem()
			fill(t, v)
			testEncoding(t, name, v.Interface())
		}))
	}
}

// leaf reports whether a type is written as one JSON value that is no object and no list.
func leaf(t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[belief.State](), reflect.TypeFor[belief.Answers]():
		return true
	}
	return t.Kind() != reflect.Struct && t.Kind() != reflect.Slice
}

// set sets a leaf to the n-th of its values; 0 is the zero value.
func set(v reflect.Value, n uint64) {
	switch v.Interface().(type) {
	case string, Labels:
		v.SetString(strings.Repeat("é\"<\n", int(n%5)))
	case bool:
		v.SetBool(n%2 == 1)
	case uint64:
		v.SetUint(n)
	case time.Duration:
		v.SetInt(int64(n))
	case Instant:
		v.Set(reflect.ValueOf(Instant(n % 250_000_000_000_000_000)))
	case belief.State:
		s, _ := belief.State{}.Created(belief.BornEither, int64(n%1000), 30)
		if n > 0 {
			v.Set(reflect.ValueOf(s))
		}
	case belief.Answers:
		if n > 0 {
			_, a := belief.State{}.Created(belief.Births(n%3+1), 0, 30)
			v.Set(reflect.ValueOf(a))
		}
	case Digest:
		v.Set(reflect.ValueOf(Digest{byte(n), 31: byte(n >> 8)}))
	default: // the enums: v.Kind() is Uint8
		v.SetUint(n % uint64(values(v.Type())))
	}
}

// values counts the values of an enum that have a name.
func values(t reflect.Type) int {
	for n := range 256 {
		v := reflect.New(t).Elem()
		v.SetUint(uint64(n))
		if strings.Contains(fmt.Sprint(v.Interface()), "(") { // a number instead of a name
			return n
		}
	}
	return 256
}

// fill fills a value at random, with about half of it left zero.
func fill(t *rapid.T, v reflect.Value) {
	switch {
	case leaf(v.Type()):
		if rapid.Bool().Draw(t, "set") {
			set(v, rapid.Uint64().Draw(t, "value"))
		}
		if v.Kind() == reflect.String && rapid.Bool().Draw(t, "any") {
			v.SetString(rapid.String().Draw(t, "text"))
		}
	case v.Kind() == reflect.Slice:
		if n := rapid.IntRange(0, 3).Draw(t, "length"); n > 0 {
			v.Set(reflect.MakeSlice(v.Type(), n, n))
			for i := range n {
				fill(t, v.Index(i))
			}
		}
	default:
		for _, field := range v.Fields() {
			fill(t, field)
		}
	}
}

func TestParseNewer(t *testing.T) {
	for name, texts := range map[string][]string{
		"record": {
			`{"Format":8,"ID":"i","Version":3}`,
			`{"Format":8,"ID":{"Mews":"i"}}`,
			`{"Format":1,"Version":3,"State":"paused"}`,
			`{"Format":1,"Version":3,"Keys":[{"Status":"borrowed"}]}`,
		},
		"evidence": {
			`{"Format":99}`,
			`{"Format":1,"Kind":"rumour"}`,
			`{"Format":1,"Kind":"delivery","Action":"IntegrationPaused"}`,
			`{"Format":1,"Kind":"delivery","IsEnabled":"perhaps"}`,
		},
	} {
		for _, text := range texts {
			v, err := encodings[name].parse([]byte(text))
			if !errors.Is(err, ErrNewer) || !reflect.ValueOf(v).IsZero() {
				t.Errorf("%s: %s: %v, %v", name, text, v, err)
			}
		}
	}
}

func TestParseGarbage(t *testing.T) {
	for name, encoding := range encodings {
		for _, text := range []string{
			"", "null", "[]", `"` + canary + `"`, "{" + canary, `{"Format":"` + canary + `"}`, `{"Format":1}{"` + canary + `":1}`,
			`{"Format":1,"At":"` + canary + `","ID":7,"IsEnabled":7}`, `{"Format":1,"Version":1,"Version":2,"Created":` + canary + `}`,
			`{"Format":0,"ID":"` + "\xff" + `"}`, `{"Format":1,"Keys":[{"Digest":"` + canary + `"}],"Token":"` + canary + `","Created":7}`, `{"Format":1,"Keys":[{"Status":7}],"IsEnabled":true}`,
		} {
			v, err := encoding.parse([]byte(text))
			if err == nil || errors.Is(err, ErrNewer) || leaks(err.Error()) || !reflect.ValueOf(v).IsZero() {
				t.Errorf("%s: %s: %v, %v", name, text, v, err)
			}
		}
	}
}

// TestTimes holds the edges of what can be written.
func TestTimes(t *testing.T) {
	for text, want := range map[string]string{
		"0001-01-01T00:00:00Z":                "never", // .NET's default date
		"0000-01-01T00:00:00Z":                "0000-01-01T00:00:00Z",
		"0000-01-01T00:00:00+14:00":           "0000-01-01T00:00:00Z",
		"9999-12-31T23:59:59.9999999Z":        "9999-12-31T23:59:59.999999Z",
		"9999-12-31T23:59:59.999999-12:00":    "9999-12-31T23:59:59.999999Z",
		"2019-12-13T14:42:52.1234567+01:00":   "2019-12-13T13:42:52.123456Z",
		"1969-12-31T23:59:59.9999999Z":        "1969-12-31T23:59:59.999999Z",
		"2019-12-13T14:42:52.000000000-00:30": "2019-12-13T15:12:52Z",
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		i := At(at)
		if i.String() != want || !At(i.Time()).Time().Equal(i.Time()) {
			t.Errorf("%s: %v", text, i)
		}
		e := Evidence{Kind: KindDelivery, CreatedUtc: i}
		if back, err := ParseEvidence(AppendEvidence(nil, e)); err != nil || back != e {
			t.Errorf("%s: read back as %v, %v", text, back.CreatedUtc, err)
		}
		var u Instant
		if err := u.UnmarshalText([]byte(text)); err != nil || u != i {
			t.Errorf("%s: %v, %v", text, u, err)
		}
	}
	// Whatever number an Instant is, it can be told and compared.
	for _, i := range []Instant{-1 << 63, 1<<63 - 1, -1, 1, 0, minute(0)} {
		for _, j := range []Instant{-1 << 63, 1<<63 - 1, -1, 1, 0, minute(0)} {
			if d := i.Sub(j); (d > 0) != (i > j) || (d < 0) != (i < j) {
				t.Errorf("%d - %d = %v", i, j, d)
			}
		}
		text, _ := i.MarshalText()
		var back Instant
		if err := back.UnmarshalText(text); err != nil {
			t.Errorf("%d: %s: %v", i, text, err)
		}
		if later := i.Add(1<<63 - 1); later < minute(0) && i >= minute(0) {
			t.Errorf("%d and 292 years are %d", i, later)
		}
	}
	never := minute(1)
	if err := never.UnmarshalText(nil); err != nil || never != 0 {
		t.Errorf("nothing is read as %v, %v", never, err)
	}
	for _, text := range []string{canary, "2019-12-13", "2019-12-13T14:42:52", "13.12.2019"} {
		i := minute(1)
		if err := i.UnmarshalText([]byte(text)); err == nil || leaks(err.Error()) || i != minute(1) {
			t.Errorf("%s: %v, %v", text, i, err)
		}
	}
}

func TestDigest(t *testing.T) {
	d := Digest{0: 0xab, 3: 1, 31: 0xcd}
	text, err := d.MarshalText()
	want := "ab000001" + strings.Repeat("0", 54) + "cd"
	if err != nil || string(text) != want || d.String() != want[:8] || d.IsZero() || !(Digest{}).IsZero() {
		t.Errorf("%s, %v, %s", text, err, d)
	}
	var back Digest
	if err := back.UnmarshalText(text); err != nil || back != d {
		t.Errorf("read back as %v, %v", back, err)
	}
	for _, text := range []string{"", canary, want[:63], want + "00", strings.Replace(want, "c", "g", 1)} {
		back := d
		if err := back.UnmarshalText([]byte(text)); err == nil || leaks(err.Error()) || back != d {
			t.Errorf("%q: %v, %v", text, back, err)
		}
	}
}

// TestParseFormer reads records as earlier versions wrote them, and brings them up to
// date: what they say of the token stays, every fact has an age, and what may be now is
// known. Each file is what that version wrote of lives of integrations.
func TestParseFormer(t *testing.T) {
	for _, format := range []string{"format1", "format2", "format3", "format4", "format5", "format6"} {
		t.Run(format, func(t *testing.T) { testParseFormer(t, format) })
	}
}

func testParseFormer(t *testing.T, format string) {
	text, err := os.ReadFile("testdata/records/" + format + ".jsonl")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for line := range strings.Lines(string(text)) {
		r, err := ParseRecord([]byte(line))
		if err != nil {
			t.Fatalf("%v\n%s", err, line)
		}
		again, err := ParseRecord(AppendRecord(nil, r))
		if diff := cmp.Diff(r, again); err != nil || diff != "" {
			t.Fatalf("written anew, it is another record (%v):\n%s", err, diff)
		}
		fmt.Fprintf(&b, "%v, enabled as of %v, canceled as of %v\n", r.State, r.EnabledAt, r.CanceledAt)
		for _, e := range []Evidence{
			delivery(IntegrationDisabled, r.EnabledAt.Add(horizon)), delivery(IntegrationDisabled, r.EnabledAt.Add(24*time.Hour)),
		} {
			if k, ok := r.CurrentKey(); ok && r.State != Deleted {
				next := then(r, e)
				fmt.Fprintf(&b, "  disabled %v later: %s\n", e.At.Sub(r.EnabledAt), said(next.Verdict(k.Digest, new(Policy), e.At)))
			}
		}
		for _, k := range r.Keys {
			asked := Policy{ProveSince: minute(1e6)}
			fmt.Fprintf(&b, "  %v as of %v, proved %v: %s, with a prober %s\n", k.Status, k.At, k.Proved,
				said(r.Verdict(k.Digest, new(Policy), minute(300))), said(r.Verdict(k.Digest, &asked, minute(300))))
		}
	}
	testkit.Golden(t, "records/"+format+".txt", b.String())
}

func said(v Verdict) string { return fmt.Sprintf("%v (%v)", v.Status, v.Reason) }
