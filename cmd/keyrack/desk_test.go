package main

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

func TestParseEvent(t *testing.T) {
	for _, action := range lifecycle.Actions() {
		full := action.String()
		short := strings.TrimPrefix(full, "Integration")
		for _, name := range []string{full, short, strings.ToLower(full), strings.ToUpper(short), "integration-" + short} {
			if got := parseEvent(name); got != action {
				t.Errorf("%s is %v", name, got)
			}
		}
	}
	for _, name := range []string{"", "integration", "unknown", "create", "created "} {
		if got := parseEvent(name); got != lifecycle.ActionUnknown {
			t.Errorf("%q is %v", name, got)
		}
	}
}

// TestReadToken: a token is one line, of which nothing but its end is taken away.
func TestReadToken(t *testing.T) {
	for text, want := range map[string]string{
		"canary": "canary", "canary\n": "canary", "canary\r\n": "canary", " canary ": " canary ",
		strings.Repeat("x", api.TokenLimit) + "\n": strings.Repeat("x", api.TokenLimit),
		"": "", "\n": "", "a\nb": "", "a\n\n": "", "a\r": "a",
		strings.Repeat("x", api.TokenLimit+1): "",
		strings.Repeat("x", 1<<20):            "",
	} {
		token, err := readToken(strings.NewReader(text))
		if token.Reveal() != want || (err == nil) != (want != "") {
			t.Errorf("%.20q: %.20q, %v", text, token.Reveal(), err)
		}
		if err != nil && codeFor(err) != exitUsage {
			t.Errorf("%.20q: exit code %d", text, codeFor(err))
		}
	}
	if _, err := readToken(brokenReader{}); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("the error quotes: %v", err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("canary") }

func codeFor(err error) int { code, _ := codeOf(err); return code }

func TestCodes(t *testing.T) {
	for status, want := range map[lifecycle.Status]int{lifecycle.Valid: 0, lifecycle.Invalid: 3, lifecycle.Unknown: 4} {
		if got := codeFor(exitOf(status)); got != want {
			t.Errorf("%v: exit code %d", status, got)
		}
	}
	// A store that cannot be closed is told beside the answer.
	code, silent := codeOf(errors.Join(exitCode(exitInvalid), errors.New("closing")))
	if code == exitOK || silent {
		t.Errorf("exit code %d, silent %t", code, silent)
	}
}

// TestPlain: a hotel's name moves no cursor.
func TestPlain(t *testing.T) {
	for in, want := range map[string]string{
		"Hôtel 東京":           "Hôtel 東京",
		"\x1b[2J\x1b[31mred": "\uFFFD[2J\uFFFD[31mred",
		"two\nlines\ttabs":   "two\uFFFDlines\uFFFDtabs",
		"\u202eright":        "\uFFFDright",
		"a\xffb":             "a\uFFFDb",
		"\u2028":             "\uFFFD",
	} {
		if got := plain(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestTable(t *testing.T) {
	var tb table
	o := output{colour: true}
	tb.row("A", "STATUS", "")
	tb.row("long name", o.status("valid"), "x")
	tb.row("é\u0301", o.status("invalid"), "y")
	tb.row("", o.status("other"))
	var b strings.Builder
	if err := tb.write(&b); err != nil {
		t.Fatal(err)
	}
	want := "A          STATUS\n" +
		"long name  \x1b[32mvalid\x1b[0m    x\n" +
		"é\u0301          \x1b[31minvalid\x1b[0m  y\n" +
		"           other\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
	if got := (&output{}).status("valid"); got != "valid" {
		t.Errorf("a colour where there is none: %q", got)
	}
}

// TestProgress: a bar is for terminals, and is taken away.
func TestProgress(t *testing.T) {
	var b strings.Builder
	silent := newProgress(&b, 2)
	silent.set(1)
	silent.end()
	if b.Len() > 0 {
		t.Errorf("a bar in a pipe: %q", b.String())
	}
	p := progress{w: &b, all: 2}
	p.set(1)
	p.set(2)
	p.end()
	if got := b.String(); !strings.Contains(got, "[###############...............] 1 of 2") || !strings.HasSuffix(got, "\x1b[K") {
		t.Errorf("%q", got)
	}
}

func TestReadEvents(t *testing.T) {
	const text = ": still here\n\nid: 1\nevent: change\ndata: {\"a\":\ndata:1}\n\nid: 2\n\nretry: 5\nevent: other\ndata: x\n\ndata: unfinished"
	var got []string
	alive := 0
	err := readEvents(strings.NewReader(text), func() { alive++ }, func(e streamEvent) error {
		got = append(got, e.id+"|"+e.name+"|"+string(e.data))
		return nil
	})
	if want := []string{"1|change|{\"a\":\n1}", "2||", "2|other|x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if err == nil || alive != 14 {
		t.Errorf("%v, %d lines", err, alive)
	}
	stop := errors.New("stop")
	if err := readEvents(strings.NewReader("id: 1\n\n"), func() {}, func(streamEvent) error { return stop }); err != stop {
		t.Error(err)
	}
	if err := readEvents(strings.NewReader("data: "+strings.Repeat("x", lineLimit)), func() {}, nil); err == nil {
		t.Error("a line without end was read")
	}
}

func TestParseConfig(t *testing.T) {
	known := func(name string) bool { return strings.HasPrefix(name, "KEYRACK_") }
	got, err := parseConfig("\ufeff# c\n\nKEYRACK_A=1\r\nexport KEYRACK_B='two words'\n KEYRACK_C = \"x=y\" \nKEYRACK_D=\nKEYRACK_E='", known)
	want := map[string]string{"KEYRACK_A": "1", "KEYRACK_B": "two words", "KEYRACK_C": "x=y", "KEYRACK_D": "", "KEYRACK_E": "'"}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	for _, text := range []string{"canary", "KEYRACK_A=canary\nKEYRACK_A=canary", "PATH=canary", "canary==", "=canary"} {
		if _, err := parseConfig(text, known); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestShown(t *testing.T) {
	for in, want := range map[string]string{
		"":                                "",
		"sqlite:keyrack.db":               "sqlite:keyrack.db",
		"http://127.0.0.1:8081":           "http://127.0.0.1:8081",
		"postgres://u:canary@h/d":         "postgres://h/d (the rest is hidden)",
		"postgres://h/d?password=canary":  "postgres://h/d (the rest is hidden)",
		"postgres://u:can%ary@h/d":        "(hidden: not a URL)",
		"http://127.0.0.1/hooks#canary":   "http://127.0.0.1/hooks (the rest is hidden)",
		"https://canary@h/?x=y&token=can": "https://h/ (the rest is hidden)",
	} {
		if got := shown(in); got != want {
			t.Errorf("%s: %s", in, got)
		}
	}
}

func recordsOf(text string) ([]record, error) {
	var failed error
	return slices.Collect(readRecords(strings.NewReader(text), &failed)), failed
}

func TestReadRecords(t *testing.T) {
	spa := record{line: 2, integration: "i1", adoption: api.ImportRequest{
		Name: "Spa, Bar", Enterprise: "e1", Token: " t 1", Disabled: true, CreatedUtc: time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC),
	}}
	const head = "integration,integration_name,enterprise,token,disabled,created_utc\n"
	for name, test := range map[string]struct {
		text string
		want record
	}{
		"commas":     {head + `i1,"Spa, Bar",e1," t 1",TRUE,2020-01-02T03:04:05Z`, spa},
		"semicolons": {"\ufeff" + strings.ReplaceAll(head, ",", ";") + `i1;Spa, Bar;e1;" t 1";1;2020-01-02T03:04:05Z` + "\r\n", spa},
		"tabs":       {strings.ReplaceAll(head, ",", "\t") + "i1\tSpa, Bar\te1\t\" t 1\"\ttrue\t2020-01-02T03:04:05Z\n", spa},
		"JSON": {"\n" + `{"integration":"i1","integration_name":"Spa, Bar","enterprise":"e1","token":" t 1","disabled":true,` +
			`"created_utc":"2020-01-02T03:04:05Z"}`, spa},
	} {
		got, err := recordsOf(test.text)
		if diff := cmp.Diff([]record{test.want}, got, cmp.AllowUnexported(record{})); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	const guid = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01"
	for _, line := range []string{
		"canary", "{", `{"integration":"i","token":"canary","tokn":"canary"}`, `{"integration":"i","token":1}`,
		`{"integration":"i","token":"canary","created_utc":"canary"}`, `{"integration":"canary","token":"canary"}`,
		`{"integration":"canary","token":"` + guid + `"}`, `{"integration":"i\n","token":"canary"}`, `{"token":"canary"}`,
		`{"integration":"..","token":"canary"}`, `{"integration":"i"}`,
	} {
		got, err := recordsOf(`{"integration":"i","token":"t"}` + "\n" + line + "\n" + `{"integration":"i","token":"t"}`)
		if err != nil || len(got) != 3 || got[1].problem == "" || got[2].problem != "" || got[2].line != 3 ||
			strings.Contains(got[1].problem+got[1].integration, "canary") {
			t.Errorf("%s: %v, %v", line, got, err)
		}
	}
	for _, text := range []string{"", "\n\n", "canary,t\n", "integration,token,canary\n", "integration,token,token\n", "\"", "[]"} {
		if got, err := recordsOf(text); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// FuzzReadRecords: what is wrong with a file is told without what is in it, and
// what is right has what is required.
func FuzzReadRecords(f *testing.F) {
	f.Add("integration,token\ni,t\n\"x\",\"y\nz\"\n")
	f.Add("{\"integration\":\"i\",\"token\":\"t\"}\nnonsense\n")
	f.Add("\ufeffintegration;token;disabled\ni;t;yes\n\"\"\";\n")
	f.Fuzz(func(t *testing.T, text string) {
		last := 0
		var failed error
		for r := range readRecords(strings.NewReader(text), &failed) {
			if r.line <= last {
				t.Fatalf("line %d after line %d", r.line, last)
			}
			last = r.line
			if r.problem == "" && (!api.ValidIdentifier(r.integration) || r.adoption.Token == "") {
				t.Fatalf("%+v is nothing to take in", r)
			}
			if strings.Contains(r.problem, "\ufffd") {
				t.Fatal("a problem quotes")
			}
		}
	})
}

// TestHints: every way in which a delivery fails says what to do next.
func TestHints(t *testing.T) {
	with, without := target{secret: lifecycle.NewToken("canary")}, target{}
	for _, a := range []mewstest.Answer{{Trouble: "no connection"}, {Status: 401}, {Status: 404}, {Status: 503}} {
		for _, where := range []target{with, without} {
			if hint := where.hint(a); hint == "" || strings.Contains(hint, "canary") {
				t.Errorf("%v: %q", a, hint)
			}
		}
	}
	if with.hint(mewstest.Answer{Status: 401}) == without.hint(mewstest.Answer{Status: 401}) {
		t.Error("a wrong secret and none look the same")
	}
}

// TestTargetWarns: a secret that goes over a network in clear is worth a line.
func TestTargetWarns(t *testing.T) {
	env := func(string) string { return "canary" }
	for to, warns := range map[string]bool{
		"http://127.0.0.1:8080/": false, "http://localhost/": false, "https://hotel.example/": false, "http://hotel.example/": true,
	} {
		var warnings bytes.Buffer
		one := target{url: to}
		if err := one.check(env, &warnings); err != nil || warnings.Len() > 0 != warns {
			t.Errorf("%s: %v, %q", to, err, warnings.String())
		}
		testkit.Silent(t, "the warning", warnings.String())
		c := client{url: to}
		warnings.Reset()
		if err := c.open(env, &warnings); err != nil || warnings.Len() > 0 != warns {
			t.Errorf("--api %s: %v, %q", to, err, warnings.String())
		}
		testkit.Silent(t, "the warning", warnings.String())
	}
}
