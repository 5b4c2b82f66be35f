package console_test

import (
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

var areas = regexp.MustCompile(`(?s)<textarea id="labels"[^>]*>(.*?)</textarea>`)

// TestLabelsByHand: the form of labels has those that there are; a line that is taken away
// removes its label, one that is changed sets it, and one that somebody else set meanwhile
// stays. What no label may be is said, and the text is kept.
func TestLabelsByHand(t *testing.T) {
	acting(t, everything, func(d desk) {
		d.label(1, map[string]string{"tenant": "4711", "env": "prod", "old": ""})
		page := d.get(link(d.get("/integration?id="+id(1, 1)).Body.String(), "Change labels")).Body.String()
		shape(t, page)
		if text := areas.FindStringSubmatch(page); text == nil || html.UnescapeString(text[1]) != "env=prod\nold=\ntenant=4711" {
			t.Fatalf("the form begins with %q\n%s", text, page)
		}
		_, said := form(page)
		d.label(1, map[string]string{"meanwhile": "yes"})
		said.Set("labels", "tenant = 4712\r\n\r\nenv=prod, example.com/new=1\r\n")
		w := d.do(http.MethodPost, "/preview", said, nil)
		page = w.Body.String()
		shape(t, page)
		for _, want := range []string{"<bdi>example.com/new=1</bdi>", "<bdi>tenant=4712</bdi>", "Label removed</dt><dd><bdi>old</bdi>", "The verdict stays as it is."} {
			if !strings.Contains(page, want) {
				t.Errorf("the page does not say %q\n%s", want, page)
			}
		}
		action, said := form(page)
		said.Set("who", "Kim")
		said.Set("why", "the tenant moved")
		if w := d.do(http.MethodPost, action, said, nil); w.Code != http.StatusSeeOther {
			t.Fatalf("%d\n%s", w.Code, w.Body)
		}
		if got := d.rack.CheckIntegration(id(1, 1)).Labels; got != "env=prod,example.com/new=1,meanwhile=yes,tenant=4712" {
			t.Errorf("the labels are %s", got)
		}
		entries := len(d.entries(1))
		for name, said := range map[string]url.Values{
			"nothing":    {"labels": {"env=prod"}, "had": {"env=prod"}},
			"no sign":    {"labels": {"tenant"}},
			"twice":      {"labels": {"a=1\na=2"}},
			"bad key":    {"labels": {"a b=1"}},
			"too many":   {"labels": {"a=1\nb=1\nc=1\nd=1\ne=1\nf=1\ng=1\nh=1\ni=1\nj=1\nk=1\nl=1\nm=1"}, "had": {""}},
			"bad former": {"labels": {""}, "had": {"a b=1"}},
		} {
			said.Set("do", "label")
			said.Set("about", id(1, 1))
			w := d.do(http.MethodPost, "/preview", said, nil)
			page := w.Body.String()
			shape(t, page)
			text := areas.FindStringSubmatch(page)
			if w.Code != http.StatusUnprocessableEntity || !strings.Contains(page, `role="alert"`) || text == nil || html.UnescapeString(text[1]) != said.Get("labels") {
				t.Errorf("%s: %d, %q\n%s", name, w.Code, text, page)
			}
		}
		if n := len(d.entries(1)); n != entries || lifecycle.Labels(d.rack.CheckIntegration(id(1, 1)).Labels) == "" {
			t.Errorf("%d entries, want %d", n, entries)
		}
	})
}
