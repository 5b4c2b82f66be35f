package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// TestPages looks at every page in light, in dark and in forced colours, at 320, 390 and
// 1440 pixels, mounted in four ways: axe finds nothing, there is nothing on the console, no
// request to anywhere else, and nothing to scroll sideways. By default each page is looked at
// in each colour scheme with widths and mounts in turn; with KEYRACK_LONG in every way there
// is. KEYRACK_PICTURES names a folder for a picture of each.
func TestPages(t *testing.T) {
	axe := axeSource(t)
	b := newBrowser(t)
	s := newSite(t)
	views := s.views(t)
	widths, schemes := []int64{320, 390, 1440}, []string{"light", "dark", "forced"}
	looked := 0
	one := func(v view, scheme string, width int64, mount string) {
		looked++
		name := fmt.Sprintf("%s-%s-%d", v.name, scheme, width)
		l := look{scheme: scheme, width: width}
		if err := b.open(l, mount+v.path); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		status := 200
		if v.name == "nowhere" || v.name == "signin" {
			status = 404
		}
		for _, c := range b.complaints(mount, status) {
			t.Errorf("%s at %s: %s", name, mount, c)
		}
		judgeNow(t, b, axe, name, l)
	}
	n := 0
	for _, v := range views {
		for _, scheme := range schemes {
			if os.Getenv("KEYRACK_LONG") == "" {
				one(v, scheme, widths[n%3], s.mounts[n%4])
				n++
				if scheme != "forced" {
					continue
				}
				n++ // so that the next page begins elsewhere
				continue
			}
			for _, width := range widths {
				for _, mount := range s.mounts {
					one(v, scheme, width, mount)
				}
			}
		}
		one(view{v.name, v.path}, "light", 320, s.mounts[0])
	}
	s.confirmations(t, b, func(name string, l look) {
		looked++
		judgeNow(t, b, axe, name, l)
	})
	one(view{"signin", ""}, "light", 390, s.locked)
	one(view{"signin", ""}, "dark", 320, s.locked)
	if looked < 40 {
		t.Errorf("only %d combinations were looked at", looked)
	}
	t.Logf("%d combinations", looked)
}

// judgeNow looks at the page that is open.
func judgeNow(t *testing.T, b *browser, axe, name string, l look) {
	t.Helper()
	if dir := os.Getenv("KEYRACK_PICTURES"); dir != "" {
		png, err := b.picture(true)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	found, err := b.judge(axe, l)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	for _, f := range found {
		t.Errorf("%s: %s", name, f)
	}
	if wide, err := b.overflow(); err != nil || wide != "" {
		t.Errorf("%s: %s %v", name, wide, err)
	}
}

// TestLargeText: with text at twice its size nothing has to be scrolled sideways.
func TestLargeText(t *testing.T) {
	b, s := newBrowser(t), newSite(t)
	for _, v := range s.views(t) {
		if err := b.open(look{scheme: "light", width: 1280, text: "200%"}, s.mounts[1]+v.path); err != nil {
			t.Fatal(err)
		}
		if wide, err := b.overflow(); err != nil || wide != "" {
			t.Errorf("%s: %s %v", v.name, wide, err)
		}
	}
}

// TestKeyboard: the first key leads to the content, and a search needs no mouse.
func TestKeyboard(t *testing.T) {
	b, s := newBrowser(t), newSite(t)
	if err := b.open(look{scheme: "light", width: 1440}, s.mounts[2]); err != nil {
		t.Fatal(err)
	}
	press := func(keys string, want string) {
		t.Helper()
		if err := chromedp.Do(b.ctx, chromedp.KeyEvent(keys)); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`(e=>(e.id||e.className||e.textContent).trim())(document.activeElement)`))
		if err != nil || got != want {
			t.Errorf("the focus is on %q, want %q: %v", got, want, err)
		}
	}
	press(kb.Tab, "skip")
	press(kb.Enter, "main")
	if err := b.open(look{scheme: "light", width: 1440}, s.mounts[2]); err != nil {
		t.Fatal(err)
	}
	press(kb.Tab, "skip")
	for _, want := range []string{"brand", "Overview", "Integrations", "Deliveries", "Subscriptions", "Settings", "find"} {
		press(kb.Tab, want)
	}
	if err := chromedp.Do(b.ctx, chromedp.KeyEvent("Lark")); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.RunResponse(b.ctx, chromedp.KeyEvent(kb.Enter)); err != nil {
		t.Fatal(err)
	}
	where, err := chromedp.Run(b.ctx, chromedp.Location())
	if want := s.mounts[2] + "integrations?q=Lark"; err != nil || where != want {
		t.Errorf("the search leads to %q, want %q: %v", where, want, err)
	}
}

// TestPicturesOfTheReadme makes the two pictures of the README, into the folder that
// KEYRACK_README names. They are looked at by a person before they are committed.
func TestPicturesOfTheReadme(t *testing.T) {
	b, s := newBrowser(t), newSite(t)
	for _, scheme := range []string{"light", "dark"} {
		if err := b.open(look{scheme: scheme, width: 1200}, s.mounts[0]+"integration?id="+id(1, 1)); err != nil {
			t.Fatal(err)
		}
		png, err := b.picture(false)
		if err != nil || len(png) < 10_000 {
			t.Fatalf("a picture of %d bytes: %v", len(png), err)
		}
		if dir := os.Getenv("KEYRACK_README"); dir != "" {
			if err := os.WriteFile(filepath.Join(dir, "console-"+scheme+".png"), png, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}
