package console_test

import (
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"unicode"
	"unicode/utf8"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// hostile are strings that have broken other pages, and 1,000 that are made of their parts.
func hostile() []string {
	parts := []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</title></head>", "<!--", "]]>", "</textarea><b>", "</svg>", "<style>*{display:none}",
		"{{.}}", "&lt;b&gt;", "&#x3c;", "javascript:alert(1)", `' onclick='x`, "\x00", "\x1b[31m", "\x7f", "\u0085", "\u2028", "\u2029", "\r\n\r\n",
		"\u202eevil", "\u2066\u2067\u2068", "\u200f\u200e\u061c", "\ufeff", "\u200b\u200d", "e" + strings.Repeat("\u0301", 60), "\u0489\u0489\u0489\u0489",
		"שלום", "مرحبا", "한국어", "🏨👩‍👩‍👧‍👦🇨🇿", "\U000e0041\U000e007f", "\uffff", "\U0010ffff", "\ue000", strings.Repeat("W", 10000), strings.Repeat("界", 3000),
		"%00%2e%2e/", "../../..", "\\u003c", "`${x}`", "a\u00ad\u2060b", " \t ", "\u3164\u115f", "𝕳𝖔𝖙𝖊𝖑",
	}
	all := append([]string(nil), parts...)
	random := rand.New(rand.NewPCG(1, 2))
	for len(all) < 1000 {
		var b strings.Builder
		for range 1 + random.IntN(4) {
			b.WriteString(parts[random.IntN(len(parts))])
		}
		all = append(all, b.String())
	}
	return all
}

// TestHostileStrings: whatever an integration, an enterprise, a service, a setting, a
// subscription, a visitor or a person is called, and whatever reason they give, the shape of every page stays what it is with an ordinary name, and
// nothing on it is a control character or runs over its neighbours. By default every eighth of
// the thousand strings is tried and all that they are made of; with KEYRACK_LONG, all.
func TestHostileStrings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		want := map[string]string{}
		for path, page := range dressed(t, "An ordinary name") {
			want[path] = shape(t, page)
		}
		step := 8
		switch {
		case testkit.Race:
			step = 40 // it takes ten times as long
		case os.Getenv("KEYRACK_LONG") != "":
			step = 1
		}
		for i, name := range hostile() {
			if i > 42 && i%step != 0 {
				continue // but the parts are all tried
			}
			for path, page := range dressed(t, name) {
				if shape(t, page) != want[path] {
					t.Fatalf("%q changes the shape of %s", name, path)
				}
				checkText(t, path, page)
			}
		}
	})
}

// dressed returns all pages of a desk where everything that can be is called by a name.
func dressed(t *testing.T, name string) map[string]string {
	d := newDesk(t, func(o *console.Options) {
		o.Settings = []console.Setting{{Name: name, Value: name, From: name}}
		o.Visitor = func(*http.Request) console.Visitor { return console.Visitor{Name: name, Persons: true} }
		o.May = func(console.Visitor, console.Act) bool { return true }
	})
	defer d.close()
	d.aLife(1, names{name, name, name})
	d.deliver(created(2, names{name, name, name}), body("IntegrationEnabled", map[string]any{name: name}))
	found := map[string]string{}
	settled := keyrack.Settlement{Enabled: lifecycle.No, Who: keyrack.NewToken(said(name)), Why: keyrack.NewToken(said(name)), By: name}
	if _, err := d.rack.Settle(t.Context(), id(1, 2), settled); err != nil {
		t.Fatal(err)
	}
	if _, err := d.rack.Act(t.Context(), keyrack.Act{Kind: lifecycle.KindControl, Do: "pause", Subscription: said(name), Who: settled.Who, Why: settled.Why, By: name}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/integration?id=" + id(1, 2), "/deliveries?show=by-hand", "/act?do=settle&id=" + id(1, 2), "/act?do=forget&id=" + id(1, 2), "/act?do=import&id=" + url.QueryEscape(name), "/integrations?label=" + url.QueryEscape("a="+name)} {
		found[strings.TrimSuffix(path, url.QueryEscape(name))] = d.get(path).Body.String()
	}
	form := url.Values{"do": {"import"}, "id": {"an id"}, "token": {"a-token"}}
	for _, field := range []string{"name", "enterprise", "enterprise_name", "service", "service_name"} {
		form.Set(field, said(name))
	}
	form.Set("enterprise", id(2, 9))
	form.Set("service", id(3, 9))
	preview := d.do(http.MethodPost, "/preview", form, nil).Body.String()
	form.Set("token", "two words")
	found["preview"], found["form"] = preview, d.do(http.MethodPost, "/preview", form, nil).Body.String()
	found["confirm"] = d.do(http.MethodPost, "/do", url.Values{"ticket": {ticketOf(preview)}, "who": {name}}, nil).Body.String()
	for _, path := range onePerKind(d.pages()) {
		found[path] = d.get(path).Body.String()
	}
	connected, err := d.rack.Connect(t.Context(), keyrack.Connection{Token: keyrack.NewToken("a-pasted-token"), Enterprise: lifecycle.Named{ID: id(2, 8), Name: said(name)}, KeepUnproved: true})
	if err != nil || !connected.Nameless {
		t.Fatalf("%+v, %v", connected, err)
	}
	naming := url.Values{"do": {"name"}, "about": {connected.Integration}, "id": {id(1, 9)}}
	found["naming"] = d.do(http.MethodPost, "/preview", naming, nil).Body.String()
	found["naming without who"] = d.do(http.MethodPost, "/do", url.Values{"ticket": {ticketOf(found["naming"])}, "why": {name}}, nil).Body.String()
	naming.Set("id", "\x00"+name)
	found["naming badly"] = d.do(http.MethodPost, "/preview", naming, nil).Body.String()
	labels := url.Values{"do": {"label"}, "about": {id(1, 1)}, "labels": {said(name) + " "}, "had": {said(name)}}
	found["labelling"] = d.do(http.MethodPost, "/preview", labels, nil).Body.String()
	found["labels"] = d.get("/act?do=label&id=" + id(1, 2)).Body.String()
	for _, path := range []string{"/integration?id=", "/act?do=name&id="} { // the id is another one each time
		found[path] = d.get(path + connected.Integration).Body.String()
	}
	return found
}

// said is a name as a person may type it: not empty, UTF-8, and at most 256 bytes.
func said(name string) string {
	name = strings.ToValidUTF8(name[:min(len(name), 256)], "")
	if strings.TrimSpace(name) == "" {
		return "x" + name + "x"
	}
	return name
}

func ticketOf(page string) string {
	_, said := form(page)
	return said.Get("ticket")
}

// onePerKind returns the pages that show names, and of those that differ only in their
// position the last.
func onePerKind(pages []string) (some []string) {
	last := map[string]string{}
	for _, path := range pages {
		kind, _, _ := strings.Cut(path, "at=")
		last[kind] = path
	}
	for _, path := range pages {
		kind, _, _ := strings.Cut(path, "at=")
		named := strings.HasPrefix(path, "/integration") || strings.HasPrefix(path, "/entry") || path == "/deliveries" || path == "/settings"
		if last[kind] == path && named && !strings.Contains(path, "before=") {
			some = append(some, path)
		}
	}
	return some
}

// checkText fails for text that nobody can see, that turns what follows around, that covers
// the lines around it or that is too long to read.
func checkText(t *testing.T, path, page string) {
	t.Helper()
	marks, n := 0, 0
	for _, c := range page {
		switch {
		case c == '\n', c >= ' ' && c <= '~':
			marks = 0
		case unicode.Is(unicode.Mn, c) || unicode.Is(unicode.Me, c):
			if marks++; marks > 3 {
				t.Fatalf("%s has a tower of combining marks", path)
			}
		case unicode.IsControl(c), unicode.Is(unicode.Bidi_Control, c), c >= '\u2066' && c <= '\u2069', c == '\ufeff':
			t.Fatalf("%s has the character %U", path, c)
		default:
			marks = 0
		}
		if n++; c == '<' || c == '>' {
			n = 0
		}
		if n > 2500 {
			t.Fatalf("%s has a text of more than %d characters", path, n)
		}
	}
}

// FuzzPlain: what plain returns is short, and the same when it is done again.
func FuzzPlain(f *testing.F) {
	for _, s := range hostile()[:40] {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := console.Plain(text, 80)
		if utf8.RuneCountInString(got) > 81 || !utf8.ValidString(got) || (got == "") != (text == "") {
			t.Errorf("%q becomes %q", text, got)
		}
		checkText(t, "plain", got)
		if again := console.Plain(got, 81); again != got {
			t.Errorf("%q becomes %q, and then %q", text, got, again)
		}
	})
}
