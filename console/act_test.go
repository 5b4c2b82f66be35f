package console_test

import (
	"context"
	"errors"
	"fmt"
	"html"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/console"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// everything lets everybody do everything, and see persons.
func everything(o *console.Options) {
	o.Prober = true
	o.Visitor = func(*http.Request) console.Visitor { return console.Visitor{Name: "desk", Persons: true} }
	o.May = func(console.Visitor, console.Act) bool { return true }
}

// silent is a Mews that does not answer.
type silent struct{}

func (silent) Probe(context.Context, lifecycle.Token, string) (connector.Answer, error) {
	return connector.Answer{}, errors.New("silence")
}

var (
	inputs  = regexp.MustCompile(`<input[^>]* name="([^"]*)"[^>]*>`)
	value   = regexp.MustCompile(` value="([^"]*)"`)
	actions = regexp.MustCompile(`<form class="stack[^>]* action="\./([a-z]+)"`)
)

// form returns where a page's own form goes, and what it says before anyone types.
func form(page string) (action string, said url.Values) {
	said = url.Values{}
	start := strings.Index(page, `<form class="stack`)
	if start < 0 {
		return "", said
	}
	page = page[start:]
	page = page[:strings.Index(page, "</form>")]
	for _, input := range inputs.FindAllStringSubmatch(page, -1) {
		if v := value.FindStringSubmatch(input[0]); v != nil && !strings.Contains(input[0], `type="checkbox"`) {
			said.Set(input[1], html.UnescapeString(v[1]))
		}
	}
	return "/" + actions.FindStringSubmatch(page)[1], said
}

// link returns the address behind a text of a page.
func link(page, text string) string {
	found := regexp.MustCompile(`href="\.(/act\?[^"]*)">` + text).FindStringSubmatch(page)
	if found == nil {
		return ""
	}
	return html.UnescapeString(found[1])
}

// entries returns all entries about hotel n, or those of no integration for 0.
func (d desk) entries(n int) (all []keyrack.Change) {
	d.Helper()
	about := ""
	if n > 0 {
		about = id(1, n)
	}
	for c, err := range d.rack.History(context.Background(), about) {
		if err != nil {
			d.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// deadLetters has a subscription fail at whatever is about hotel 1.
func (d desk) deadLetters() {
	d.Helper()
	handle := func(context.Context, keyrack.Change) error { return errors.New("the mail server is away") }
	if err := d.rack.Subscribe("mail & more", handle, &keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeToken}, FromStart: true, Attempts: 1}); err != nil {
		d.Fatal(err)
	}
	time.Sleep(time.Minute)
	synctest.Wait()
}

func (d desk) subscription() atrest.Subscription {
	d.Helper()
	all, err := atrest.Subscriptions(context.Background(), d.rack.Store())
	if err != nil || len(all) != 1 {
		d.Fatalf("%v, %v", all, err)
	}
	return all[0]
}

// walk is one act, from where it is offered to where it shows.
type walk struct {
	do          console.Act
	from, offer string     // a page, and the link on it
	says        url.Values // in the form, if there is one
	shows       string     // on the page that shows what it would do
	ends        string     // what the address begins with that it leads to
	kind        lifecycle.Kind
	after       func(desk) string // how things are afterwards
	want        string
}

var verdict = func(d desk) string {
	v := d.rack.CheckIntegration(id(1, 1))
	return fmt.Sprint(v.Status, " ", v.Reason)
}

var walks = []walk{
	{
		do: "probe", from: "/integration?id=" + id(1, 1), offer: "Ask Mews now", shows: "The verdict stays as it is.",
		ends: "./integration?id=", kind: lifecycle.KindProbeRequest, after: verdict, want: "unknown unproved",
	},
	{
		do: "settle", from: "/integration?id=" + id(1, 1), offer: "Settle by hand", says: url.Values{"enabled": {"no"}}, shows: "The verdict becomes invalid.",
		ends: "./integration?id=", kind: lifecycle.KindSettle, after: verdict, want: "invalid disabled",
	},
	{
		do: "import", from: "/integration?id=" + id(1, 1), offer: "Import a token", says: url.Values{"token": {` "` + tokenCanary + `pasted" `}, "enterprise_name": {"Hotel Lark & Son"}},
		shows: "The verdict stays as it is.", ends: "./integration?id=", kind: lifecycle.KindImport, after: verdict, want: "unknown unproved",
	},
	{
		do: "label", from: "/integration?id=" + id(1, 1), offer: "Change labels", says: url.Values{"labels": {"tenant=4711\r\nenv=prod\r\n"}}, shows: "Label set</dt><dd><bdi>tenant=4711",
		ends: "./integration?id=", kind: lifecycle.KindLabel, after: func(d desk) string { return string(d.rack.CheckIntegration(id(1, 1)).Labels) }, want: "env=prod,tenant=4711",
	},
	{
		do: "erase", from: "/integration?id=" + id(1, 1), offer: "Erase personal data", shows: "The verdict stays as it is.",
		ends: "./integration?id=", kind: lifecycle.KindErase, after: verdict, want: "unknown unproved",
	},
	{
		do: "forget", from: "/integration?id=" + id(1, 1), offer: "Forget", shows: "for another reason",
		ends: "./deliveries?show=by-hand&did=", kind: lifecycle.KindForget, after: verdict, want: "unknown unfamiliar",
	},
	{
		do: "pause", from: "/subscriptions", offer: "Pause", shows: "Nothing is lost", ends: "./subscriptions?did=", kind: lifecycle.KindControl,
		after: func(d desk) string { return fmt.Sprint(d.subscription().Paused) }, want: "true",
	},
	{
		do: "retry", from: "/subscriptions", offer: "Try again all dead letters", shows: "It goes back to", ends: "./subscriptions?did=", kind: lifecycle.KindControl,
		after: func(d desk) string { return fmt.Sprint(d.subscription().Dead) }, want: "2", // they failed again
	},
	{
		do: "discard", from: "/subscriptions", offer: "Discard<", shows: "Dead letters that this is about", ends: "./subscriptions?did=", kind: lifecycle.KindControl,
		after: func(d desk) string { return fmt.Sprint(d.subscription().Dead) }, want: "1",
	},
}

// acting opens a desk with two hotels and two dead letters, in a bubble of its own.
func acting(t *testing.T, change func(*console.Options), test func(d desk)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		d := newDeskAsking(t, silent{}, change)
		defer d.close()
		d.deliver(created(1, ordinary), created(2, ordinary))
		d.deadLetters()
		test(d)
	})
}

// TestEveryAct walks each act as a visitor does: it is offered, shows first what it would do,
// changes nothing until it is confirmed with who and why, is journalled with both, leads to a
// page that says so, and counts once however often it is sent.
func TestEveryAct(t *testing.T) {
	for _, w := range walks {
		t.Run(string(w.do), func(t *testing.T) {
			acting(t, everything, func(d desk) {
				before, subscription := fmt.Sprint(d.entries(0), d.entries(1)), d.subscription()
				start := link(d.get(w.from).Body.String(), w.offer)
				answer := d.get(start)
				if start == "" || answer.Code != http.StatusOK {
					t.Fatalf("%s offers %q, which answers %d", w.from, start, answer.Code)
				}
				action, said := form(answer.Body.String())
				if w.says != nil {
					if action != "/preview" {
						t.Fatalf("the form goes to %s", action)
					}
					maps.Copy(said, w.says)
					answer = d.do(http.MethodPost, action, said, nil)
					action, said = form(answer.Body.String())
				}
				page := answer.Body.String()
				shape(t, page)
				if answer.Code != http.StatusOK || action != "/do" || !strings.Contains(page, w.shows) || strings.Contains(page, tokenCanary) {
					t.Fatalf("%d, a form to %s\n%s", answer.Code, action, page)
				}
				if now := fmt.Sprint(d.entries(0), d.entries(1)); now != before || d.subscription() != subscription {
					t.Error("something happened before it was confirmed")
				}
				said.Set("who", "Kim")
				said.Set("why", "the hotel <b>called</b>")
				said.Set("sure", "yes")
				var location string
				for range 3 {
					done := d.do(http.MethodPost, action, said, nil)
					location = done.Header().Get("Location")
					if done.Code != http.StatusSeeOther || !strings.HasPrefix(location, w.ends) {
						t.Fatalf("it leads to %d, %q\n%s", done.Code, location, done.Body)
					}
					time.Sleep(time.Minute)
					synctest.Wait()
				}
				if got := w.after(d); got != w.want {
					t.Errorf("afterwards it is %s, want %s", got, w.want)
				}
				made := 0
				for _, c := range append(d.entries(0), d.entries(1)...) {
					if c.Evidence.Kind == w.kind {
						made++
						if c.Evidence.By != "desk" {
							t.Errorf("the journal has %+v", c)
						}
					}
				}
				if made != 1 {
					t.Errorf("the journal has it %d times", made)
				}
				shown := d.get(strings.TrimPrefix(location, ".")).Body.String()
				if !strings.Contains(shown, `<p class="note did" role="status">`) {
					t.Errorf("%s does not say that it was done\n%s", location, shown)
				}
				if w.kind != lifecycle.KindControl && !strings.Contains(shown, "Kim</bdi> says: <q><bdi>the hotel &lt;b&gt;called&lt;/b&gt;") {
					t.Errorf("%s does not say who did it and why", location)
				}
			})
		})
	}
}

// TestResume: a subscription that is paused is offered to go on.
func TestResume(t *testing.T) {
	acting(t, everything, func(d desk) {
		if err := atrest.Pause(context.Background(), d.rack.Store(), "mail & more"); err != nil {
			t.Fatal(err)
		}
		_, said := form(d.get(link(d.get("/subscriptions").Body.String(), "Let it go on")).Body.String())
		said.Set("who", "Kim")
		said.Set("why", "the mail server is back")
		if w := d.do(http.MethodPost, "/do", said, nil); w.Code != http.StatusSeeOther || d.subscription().Paused {
			t.Errorf("%d, %+v", w.Code, d.subscription())
		}
	})
}

// TestActsAreOff: without Options.May, and for a visitor who may not, no page offers an act,
// and none is shown or done.
func TestActsAreOff(t *testing.T) {
	acting(t, everything, func(allowed desk) {
		off := map[string]func(*console.Options){
			"by default": func(o *console.Options) { o.Prober = true },
			"for another visitor": func(o *console.Options) {
				everything(o)
				o.May = func(v console.Visitor, _ console.Act) bool { return v.Name == "boss" }
			},
		}
		for name, change := range off {
			o := console.Options{}
			change(&o)
			page := console.New(allowed.rack, &o)
			d := desk{t, allowed.rack, page}
			before := fmt.Sprint(d.entries(0), d.entries(1))
			for _, path := range d.pages() {
				if strings.Contains(d.get(path).Body.String(), "act?") {
					t.Errorf("%s: %s offers an act", name, path)
				}
			}
			for _, w := range walks {
				path := link(allowed.get(w.from).Body.String(), w.offer)
				if got := d.get(path); got.Code != http.StatusForbidden || strings.Contains(got.Body.String(), "Hotel Lark") {
					t.Errorf("%s: %s is shown: %d", name, path, got.Code)
				}
				action, said := form(allowed.get(path).Body.String())
				maps.Copy(said, w.says)
				if w.says != nil {
					if got := d.do(http.MethodPost, action, said, nil); got.Code != http.StatusForbidden {
						t.Errorf("%s: %s is previewed: %d", name, w.do, got.Code)
					}
					action, said = form(allowed.do(http.MethodPost, action, said, nil).Body.String())
				}
				said.Set("who", "Kim")
				said.Set("why", "x")
				said.Set("sure", "yes")
				if got := d.do(http.MethodPost, action, said, nil); got.Code != http.StatusForbidden {
					t.Errorf("%s: %s is done: %d", name, w.do, got.Code)
				}
			}
			if now := fmt.Sprint(d.entries(0), d.entries(1)); now != before {
				t.Errorf("%s: something was done", name)
			}
			page.Close()
		}
	})
}

// confirmation returns the form that confirms an act about hotel 1, filled in.
func (d desk) confirmation(do console.Act) url.Values {
	d.Helper()
	answer := d.get("/act?do=" + string(do) + "&id=" + id(1, 1))
	action, said := form(answer.Body.String())
	if action == "/preview" {
		said.Set("enabled", "no")
		said.Set("token", tokenCanary+"pasted")
		answer = d.do(http.MethodPost, action, said, nil)
		_, said = form(answer.Body.String())
	}
	if said.Get("ticket") == "" {
		d.Fatalf("%s has no confirmation: %d\n%s", do, answer.Code, answer.Body)
	}
	said.Set("who", "Kim")
	said.Set("why", "the hotel called")
	return said
}

// TestActWantsItsWords: without who, why or the tick that it is for good nothing is done, and
// what was typed is still there.
func TestActWantsItsWords(t *testing.T) {
	acting(t, everything, func(d desk) {
		entries := len(d.entries(1))
		for name, spoil := range map[string]func(url.Values){
			"nobody":     func(v url.Values) { v.Set("who", "  ") },
			"no reason":  func(v url.Values) { v.Del("why") },
			"not sure":   func(url.Values) {},
			"too long":   func(v url.Values) { v.Set("sure", "yes"); v.Set("why", strings.Repeat("why ", 100)) },
			"no UTF-8":   func(v url.Values) { v.Set("sure", "yes"); v.Set("who", "\xff\xfe") },
			"all at sea": func(v url.Values) { v.Set("who", ""); v.Set("why", "") },
		} {
			said := d.confirmation(console.ActErase)
			spoil(said)
			w := d.do(http.MethodPost, "/do", said, nil)
			shape(t, w.Body.String())
			_, again := form(w.Body.String())
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `role="alert"`) || again.Get("ticket") != said.Get("ticket") {
				t.Errorf("%s: %d\n%s", name, w.Code, w.Body)
			}
			if name == "not sure" && (again.Get("who") != "Kim" || again.Get("why") != "the hotel called") {
				t.Errorf("%s: what was typed is lost: %v", name, again)
			}
		}
		for name, said := range map[string]url.Values{
			"nothing settled":    {"do": {"settle"}, "about": {id(1, 1)}},
			"no token":           {"do": {"import"}, "id": {id(1, 1)}, "token": {"two words"}},
			"a token too long":   {"do": {"import"}, "id": {id(1, 1)}, "token": {strings.Repeat("x", 2000)}},
			"nobody's":           {"do": {"import"}, "token": {tokenCanary}},
			"an odd enterprise":  {"do": {"import"}, "id": {id(1, 1)}, "token": {tokenCanary}, "enterprise": {"a\x00b"}},
			"a key of no record": {"do": {"settle"}, "about": {id(1, 1)}, "current": {"00000000"}},
		} {
			w := d.do(http.MethodPost, "/preview", said, nil)
			shape(t, w.Body.String())
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(w.Body.String(), `role="alert"`) || strings.Contains(w.Body.String(), tokenCanary) {
				t.Errorf("%s: %d\n%s", name, w.Code, w.Body)
			}
		}
		if n := len(d.entries(1)); n != entries {
			t.Errorf("%d entries, want %d", n, entries)
		}
	})
}

// TestActMeanwhile: where something happens between the page and its confirmation, nothing is
// done, and the page shows anew what would be.
func TestActMeanwhile(t *testing.T) {
	acting(t, everything, func(d desk) {
		said := d.confirmation(console.ActSettle)
		d.deliver(later("IntegrationDeleted", 1))
		w := d.do(http.MethodPost, "/do", said, nil)
		if w.Code != http.StatusConflict || !strings.Contains(w.Body.String(), "Something happened meanwhile") || !strings.Contains(w.Body.String(), "It would be refused") {
			t.Errorf("%d\n%s", w.Code, w.Body)
		}
		said = d.confirmation(console.ActImport)
		d.deliver(later("IntegrationDeleted", 1))
		w = d.do(http.MethodPost, "/do", said, nil)
		_, again := form(w.Body.String())
		if w.Code != http.StatusConflict || again.Get("who") != "Kim" || again.Get("ticket") == said.Get("ticket") {
			t.Fatalf("%d\n%s", w.Code, w.Body)
		}
		if w = d.do(http.MethodPost, "/do", again, nil); w.Code != http.StatusSeeOther || d.rack.CheckIntegration(id(1, 1)).Reason != lifecycle.ReasonUnproved {
			t.Errorf("confirmed again: %d, %v", w.Code, d.rack.CheckIntegration(id(1, 1)))
		}
	})
}

// TestActsFromOtherSites: what another site sends does nothing, whatever ticket it has.
func TestActsFromOtherSites(t *testing.T) {
	acting(t, everything, func(d desk) {
		said := d.confirmation(console.ActProbe)
		entries := len(d.entries(1))
		for name, header := range map[string][2]string{
			"cross-site": {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site"}, "an origin": {"Origin", "https://evil.example"},
		} {
			req := httptest.NewRequest(http.MethodPost, "http://console.test/do", strings.NewReader(said.Encode()))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set(header[0], header[1])
			w := httptest.NewRecorder()
			if d.page.ServeHTTP(w, req); w.Code != http.StatusForbidden {
				t.Errorf("%s: %d", name, w.Code)
			}
		}
		for _, path := range []string{"/do?" + said.Encode(), "/preview?do=settle&enabled=no&about=" + id(1, 1)} {
			if w := d.get(path); w.Code != http.StatusMethodNotAllowed {
				t.Errorf("a GET: %d", w.Code)
			}
		}
		if n := len(d.entries(1)); n != entries {
			t.Errorf("%d entries, want %d", n, entries)
		}
	})
}

// TestActAtOnce: a confirmation that comes several times at once counts once.
func TestActAtOnce(t *testing.T) {
	d := newDesk(t, everything)
	d.deliver(created(1, ordinary))
	said := d.confirmation(console.ActSettle)
	entries := len(d.entries(1))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if w := d.do(http.MethodPost, "/do", said, nil); w.Code != http.StatusSeeOther {
				t.Errorf("%d", w.Code)
			}
		})
	}
	all.Wait()
	if n := len(d.entries(1)); n != entries+1 {
		t.Errorf("%d entries, want %d", n, entries+1)
	}
}

// TestWhoIsShown: who did something and why is shown to those alone who may see persons.
func TestWhoIsShown(t *testing.T) {
	acting(t, everything, func(d desk) {
		if w := d.do(http.MethodPost, "/do", d.confirmation(console.ActSettle), nil); w.Code != http.StatusSeeOther {
			t.Fatalf("%d", w.Code)
		}
		o := console.Options{}
		everything(&o)
		o.Visitor = func(*http.Request) console.Visitor { return console.Visitor{Name: "reader"} }
		page := console.New(d.rack, &o)
		defer page.Close()
		reader := desk{t, d.rack, page}
		for _, path := range []string{"/integration?id=" + id(1, 1), "/deliveries?show=by-hand", fmt.Sprintf("/entry?id=%s&at=%d", id(1, 1), d.entries(1)[len(d.entries(1))-1].Position)} {
			if page := d.get(path).Body.String(); !strings.Contains(page, "Kim</bdi> says: <q><bdi>the hotel called") {
				t.Errorf("%s does not say who and why\n%s", path, page)
			}
			if page := reader.get(path).Body.String(); strings.Contains(page, "Kim") || strings.Contains(page, "the hotel called") || !strings.Contains(page, "settled by hand") {
				t.Errorf("%s tells a reader who and why\n%s", path, page)
			}
		}
	})
}

// TestNaming: of a nameless integration a person can say which it is, once; the page of its
// former id then shows the named one.
func TestNaming(t *testing.T) {
	acting(t, everything, func(d desk) {
		connected, err := d.rack.Connect(context.Background(), keyrack.Connection{Token: keyrack.NewToken(tokenCanary + "connected"), KeepUnproved: true})
		if err != nil || !connected.Nameless {
			t.Fatalf("%+v, %v", connected, err)
		}
		_, said := form(d.get(link(d.get("/integration?id="+connected.Integration).Body.String(), "Say which it is")).Body.String())
		if w := d.do(http.MethodPost, "/preview", said, nil); w.Code != http.StatusUnprocessableEntity {
			t.Errorf("without an id: %d", w.Code)
		}
		said.Set("id", " "+strings.ToUpper(id(1, 9)))
		w := d.do(http.MethodPost, "/preview", said, nil)
		shape(t, w.Body.String())
		action, said := form(w.Body.String())
		if w.Code != http.StatusOK || action != "/do" {
			t.Fatalf("%d\n%s", w.Code, w.Body)
		}
		said.Set("who", "Kim")
		said.Set("why", "the hotel sent its id")
		for range 2 {
			w = d.do(http.MethodPost, action, said, nil)
			if location := w.Header().Get("Location"); w.Code != http.StatusSeeOther || !strings.HasPrefix(location, "./integration?id="+id(1, 9)+"&did=") {
				t.Fatalf("%d, %q\n%s", w.Code, location, w.Body)
			}
		}
		for _, path := range []string{w.Header().Get("Location")[1:], "/integration?id=" + connected.Integration} {
			if page := d.get(path).Body.String(); !strings.Contains(page, "<code>"+id(1, 9)+"</code>") || !strings.Contains(page, "the hotel sent its id") {
				t.Errorf("%s\n%s", path, page)
			}
		}
		if d.rack.Check(tokenCanary+"connected").Integration != id(1, 9) {
			t.Error("the token is not that of the named one")
		}
	})
}
