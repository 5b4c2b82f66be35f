package browsertest

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/keyrack-dev/keyrack/internal/entry"
)

// keyboard is somebody at a page without a mouse.
type keyboard struct {
	*testing.T
	*browser
}

// press presses keys, and waits for a page that they lead to.
func (k keyboard) press(keys string) {
	k.Helper()
	if err := chromedp.Do(k.ctx, chromedp.KeyEvent(keys)); err != nil {
		k.Fatal(err)
	}
}

// enter presses Enter and waits for the page that it leads to.
func (k keyboard) enter() {
	k.Helper()
	ctx, cancel := context.WithTimeout(k.ctx, 20*time.Second)
	defer cancel()
	if _, err := chromedp.RunResponse(ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		k.Fatal(err)
	}
}

// to presses Tab until the focus is on what has an id or begins with a text, and fails where
// it cannot be seen there.
func (k keyboard) to(want string) {
	k.Helper()
	const script = `(e=>{const r=e.getBoundingClientRect();return (e.id||e.textContent).trim()+"\n"+(r.width>0&&r.bottom>0&&r.top<innerHeight&&getComputedStyle(e).outlineStyle!=="none")})(document.activeElement)`
	for range 120 {
		k.press(kb.Tab)
		got, err := chromedp.Run(k.ctx, chromedp.Evaluate[string](script))
		if err != nil {
			k.Fatal(err)
		}
		text, seen, _ := strings.Cut(got, "\n")
		if strings.HasPrefix(text, want) {
			if !strings.HasSuffix(seen, "true") {
				k.Errorf("the focus on %q cannot be seen", want)
			}
			return
		}
	}
	k.Fatalf("no key leads to %q", want)
}

// errand is an act as somebody does it with the keyboard.
type errand struct {
	name, page, offer string
	fields            [][2]string // where to type what
	sure              bool
	button, says      string
}

// errands does every act; forgetting comes last, and trying letters again takes them away for
// a moment.
var errands = []errand{
	{"probe", "integration?id=" + id(1, 1), "Ask Mews now", nil, false, "Ask Mews", "Mews will be asked"},
	{"settle", "integration?id=" + id(1, 1), "Settle by hand", [][2]string{{"enabled", kb.ArrowDown + kb.ArrowDown}}, false, "Settle it", "Your word was taken in"},
	{"import", "integrations", "Import a token", [][2]string{{"id", "an-integration-of-tests"}, {"token", "a-token-of-tests-0123456789"}, {"name", "Channel"}}, false, "Import it", "It was imported"},
	{"name", "integration?id=NAMELESS", "Say which it is", [][2]string{{"id", id(1, 90)}}, false, "Name it", "It has its name"},
	{"label", "integration?id=" + id(1, 1), "Change labels", [][2]string{{"labels", "tenant=4711" + kb.Enter + "env=prod"}}, false, "Change them", "The labels are changed"},
	{"discard", "subscriptions", "Discard: position", nil, true, "Discard", "Discarded"},
	{"retry", "subscriptions", "Try again", nil, false, "Try again", "It goes back"},
	{"pause", "subscriptions", "Pause", nil, false, "Pause it", "It pauses"},
	{"resume", "subscriptions", "Let it go on", nil, false, "Let it go on", "It goes on"},
	{"erase", "integration?id=" + id(1, 1), "Erase personal data", nil, true, "Erase it for good", "The bodies are erased"},
	{"forget", "integration?id=" + id(1, 1), "Forget", nil, true, "Forget it for good", "It is forgotten"},
}

// TestActsByKeyboard does every act by keyboard alone, mounted in each way in turn.
func TestActsByKeyboard(t *testing.T) {
	b, s := newBrowser(t), newSite(t)
	k := keyboard{t, b}
	for i, e := range errands {
		home := s.mounts[i%len(s.mounts)]
		if err := b.open(look{scheme: "light", width: 1280}, home+strings.Replace(e.page, "NAMELESS", s.nameless, 1)); err != nil {
			t.Fatal(err)
		}
		k.to(e.offer)
		k.enter()
		for _, field := range e.fields {
			k.to(field[0])
			for _, key := range field[1] {
				k.press(string(key))
			}
		}
		if e.fields != nil {
			k.to("Show what it would do")
			k.enter()
		}
		k.to("who")
		k.press("Kim")
		k.to("why")
		k.press("as " + e.name + " is tried")
		if e.sure {
			k.to("sure")
			k.press(" ")
		}
		k.to(e.button)
		k.enter()
		text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`document.querySelector("main").innerText`))
		where, whereErr := chromedp.Run(b.ctx, chromedp.Location())
		if err != nil || whereErr != nil || !strings.HasPrefix(text, e.says) || !strings.HasPrefix(where, home) {
			t.Errorf("%s leads to %s, %v, %v:\n%.200s", e.name, where, err, whereErr, text)
		}
		for _, c := range b.complaints(home, 200) {
			t.Errorf("%s: %s", e.name, c)
		}
	}
	done := map[string]bool{}
	for _, id := range []string{"", id(1, 1), id(1, 90), "an-integration-of-tests"} {
		for c, err := range s.rack.History(context.Background(), id) {
			if err != nil {
				t.Fatal(err)
			}
			if body, err := s.rack.Body(context.Background(), c.ID, true); err == nil {
				if who, why := entry.ReadSaid(body); who == "Kim" {
					done[why] = true
				}
			}
		}
	}
	for _, why := range []string{"import", "name", "retry", "discard", "pause", "resume", "forget"} { // the others went with what was forgotten
		if !done["as "+why+" is tried"] {
			t.Errorf("the journal does not have who did %s and why: %v", why, done)
		}
	}
}

// confirmations opens what a form leads to, and what is said where something is missing, and
// calls look for each.
func (s *site) confirmations(t *testing.T, b *browser, looks func(name string, l look)) {
	t.Helper()
	for i, scheme := range []string{"light", "dark", "forced"} {
		width := []int64{320, 390, 1440}[i]
		l := look{scheme: scheme, width: width}
		for _, c := range []struct{ name, path, script string }{
			{"settle-would", "act?do=settle&id=" + id(1, 1), `document.querySelector("#enabled").value="no";document.querySelector(".stack").submit()`},
			{"settle-wrong", "act?do=settle&id=" + id(1, 1), `document.querySelector(".stack").submit()`},
			{"import-would", "act?do=import&id=" + id(1, 2), `document.querySelector("#token").value="a-pasted-token-0123456789";document.querySelector(".stack").submit()`},
			{"label-would", "act?do=label&id=" + id(1, 1), `document.querySelector("#labels").value="tenant=4711\nenv=prod";document.querySelector(".stack").submit()`},
			{"label-wrong", "act?do=label&id=" + id(1, 1), `document.querySelector("#labels").value="tenant";document.querySelector(".stack").submit()`},
			{"name-would", "act?do=name&id=" + s.nameless, `document.querySelector("#id").value="11111111-2222-4333-8444-555555555555";document.querySelector(".stack").submit()`},
			{"erase-wrong", "act?do=erase&id=" + id(1, 1), `document.querySelector(".stack").submit()`},
		} {
			name := fmt.Sprintf("%s-%s-%d", c.name, scheme, width)
			if err := b.open(l, s.mounts[i]+c.path); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			ctx, cancel := context.WithTimeout(b.ctx, 20*time.Second)
			_, err := chromedp.RunResponse(ctx, chromedp.Evaluate[chromedp.Void](c.script))
			cancel()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			looks(name, l)
		}
	}
}
