package console

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/typed"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// formPage is the form of an act that takes more words than who and why.
type formPage struct {
	frame
	Do, Lead, Wrong, Cancel string
	Settle, Naming, Label   bool
	Hotel, Known, About     string // Known is the id that it has, About the same escaped: it may be of any characters

	ID, Name, Enterprise, EnterpriseName, Service, ServiceName, AnsweredBy string
	Enabled, Canceled, Current                                             []choice
	Disabled                                                               bool
	Labels, Had                                                            string // one a line; as they were when the form was made
}

// longest is how much of a field a form shows again.
const longest = 256

// showForm shows the form of an act with what is said so far, but never a token.
func (h *Handler) showForm(r *request, t *ticket, wrong string) {
	p := formPage{frame: r.frame("integrations", acts[t.Do].title), Do: string(t.Do), Lead: acts[t.Do].lead, Wrong: wrong, Settle: t.Do == ActSettle, Naming: t.Do == ActName, Label: t.Do == ActLabel, Cancel: "./integrations"}
	p.Acting = true
	about := t.Integration
	if p.Naming {
		about = t.Nameless
	}
	record, known := h.rack.Record(about)
	if !known && t.Do != ActImport {
		r.fail(http.StatusNotFound, "Nothing is known of it", "The integration does not exist, or was forgotten. An import brings one.")
		return
	}
	if known {
		p.Cancel, p.Hotel = integrationHref(record.ID), plain(record.Enterprise.Name, inList)
	}
	p.Known, p.About = plain(about, longest), url.QueryEscape(about)
	p.ID, p.Name, p.AnsweredBy = plain(t.Integration, longest), plain(t.Name, longest), plain(t.AnsweredBy, longest)
	p.Enterprise, p.EnterpriseName = plain(t.Enterprise.ID, longest), plain(t.Enterprise.Name, longest)
	p.Service, p.ServiceName, p.Disabled = plain(t.Service.ID, longest), plain(t.Service.Name, longest), t.Disabled
	if p.Label {
		p.Labels, p.Had = labelsIn(r, record.Labels)
	}
	p.Enabled, p.Canceled = flagChoices(t.Enabled, "enabled", "disabled"), flagChoices(t.Canceled, "canceled", "not canceled, or not any more")
	p.Current = []choice{{Text: "I cannot say"}}
	for i := range record.Keys {
		k := &record.Keys[i]
		p.Current = append(p.Current, choice{k.Digest.String(), k.Digest.String() + ", " + k.Status.String(), k.Digest == t.Current})
	}
	status := http.StatusOK
	if wrong != "" {
		status = http.StatusUnprocessableEntity
	}
	r.show(status, "actform.html", p)
}

func flagChoices(f lifecycle.Flag, yes, no string) []choice {
	return []choice{
		{Text: "I cannot say", Chosen: f == lifecycle.Unset},
		{Value: "yes", Text: yes, Chosen: f == lifecycle.Yes}, {Value: "no", Text: no, Chosen: f == lifecycle.No},
	}
}

func flagIn(value string) lifecycle.Flag {
	return map[string]lifecycle.Flag{"yes": lifecycle.Yes, "no": lifecycle.No}[value]
}

// readForm reads what a form says into a ticket, and returns what is wrong with it.
func (h *Handler) readForm(r *request, t *ticket) (wrong string) {
	field := func(name string) string {
		return strings.ToValidUTF8(strings.TrimSpace(r.PostFormValue(name)), "\ufffd")
	}
	t.Integration = typed.ID(field("id"))
	if about, err := url.QueryUnescape(field("about")); err == nil && about != "" {
		t.Integration, t.Nameless = about, about
	}
	if t.Do == ActName {
		if t.Integration = typed.ID(field("id")); t.Integration == "" {
			return "Say which integration of Mews it is, by its id."
		}
		return ""
	}
	if t.Do == ActSettle {
		t.Enabled, t.Canceled, t.AnsweredBy = flagIn(field("enabled")), flagIn(field("canceled")), typed.ID(field("answered_by"))
		record, _ := h.rack.Record(t.Integration)
		for i := range record.Keys {
			if d := record.Keys[i].Digest; field("current") != "" && d.String() == field("current") {
				t.Current = d
			}
		}
		if t.Enabled == lifecycle.Unset && t.Canceled == lifecycle.Unset && t.AnsweredBy == "" && t.Current == (lifecycle.Digest{}) {
			return "Say something: whether it is enabled or canceled, which token is current, or which enterprise answers."
		}
		return ""
	}
	if t.Do == ActLabel {
		return t.readLabels(field("labels"), field("had"))
	}
	t.Name, t.Disabled = field("name"), field("disabled") != ""
	t.Enterprise = lifecycle.Named{ID: typed.ID(field("enterprise")), Name: field("enterprise_name")}
	t.Service = lifecycle.Named{ID: typed.ID(field("service")), Name: field("service_name")}
	if t.Integration == "" {
		return "Say which integration: its id is in the webhooks of Mews, and in the address of its page in Mews."
	}
	token, err := typed.Token(r.PostFormValue("token"))
	if err != nil {
		return "Paste the access token: one line, without white space inside."
	}
	if err := h.seal(t, token); err != nil {
		return "The token cannot be sealed. Try again."
	}
	return ""
}

// facts lists what an act about an integration says.
func (h *Handler) facts(t *ticket, p *actPage) {
	add := func(name, value string) {
		if value = plain(value, inFull); value != "" {
			p.Facts = append(p.Facts, fact{name, value})
		}
	}
	record, _ := h.rack.Record(cmp.Or(t.Nameless, t.Integration))
	add("Hotel", record.Enterprise.Name)
	if t.Do == ActName {
		add("Known so far as", t.Nameless)
	}
	add("Integration", strings.TrimSpace(t.Name+" "+t.Integration))
	for key, value := range t.Labels.All() {
		add("Label set", key+"="+value)
	}
	for key := range strings.FieldsFuncSeq(t.Unlabel, isComma) {
		add("Label removed", key)
	}
	said := func(name string, f lifecycle.Flag, yes, no string) {
		if f != lifecycle.Unset {
			add(name, map[lifecycle.Flag]string{lifecycle.Yes: yes, lifecycle.No: no}[f])
		}
	}
	said("You say it is", t.Enabled, "enabled", "disabled")
	said("And it is", t.Canceled, "canceled", "not canceled")
	if t.Current != (lifecycle.Digest{}) {
		add("Current token", t.Current.String()+" (a digest)")
	}
	add("Answered for by", t.AnsweredBy)
	add("Enterprise", strings.TrimSpace(t.Enterprise.Name+" "+t.Enterprise.ID))
	add("Service", strings.TrimSpace(t.Service.Name+" "+t.Service.ID))
	switch {
	case t.Do == ActImport && t.Disabled:
		add("Token", "the one that you pasted; the hotel has disabled the integration")
	case t.Do == ActImport:
		add("Token", "the one that you pasted; the integration is enabled")
	case t.Do == ActForget:
		add("Tokens", number(len(record.Keys)))
	}
}

// confirmControl fills in what an act about a subscription would do. It answers and returns
// false where there is no such subscription or dead letter.
func (h *Handler) confirmControl(r *request, t *ticket, p *actPage) bool {
	p.Page, p.Cancel = "subscriptions", "./subscriptions"
	all, err := atrest.Subscriptions(r.Context(), h.store)
	if err != nil {
		r.failed(err)
		return false
	}
	for _, s := range all {
		if s.Name != t.Subscription {
			continue
		}
		p.Facts = []fact{{"Subscription", plain(s.Name, inFull)}, {"Done up to", "position " + number(int(s.Position))}}
		if t.Do == ActPause || t.Do == ActResume {
			return true
		}
		letters, err := atrest.DeadLetters(r.Context(), h.store, s.Name)
		if err != nil {
			r.failed(err)
			return false
		}
		n, oldest := 0, t.Letter
		for _, l := range letters {
			if t.Letter == 0 || l.Position == t.Letter || t.Do == ActRetry && l.Position > t.Letter {
				n++
				if oldest == 0 || l.Position < oldest {
					oldest = l.Position
				}
			}
		}
		if n == 0 {
			break
		}
		p.Facts = append(p.Facts, fact{"Dead letters that this is about", number(n)})
		if t.Do == ActRetry {
			p.Facts = append(p.Facts, fact{"It goes back to", "position " + number(int(oldest)-1)})
		}
		return true
	}
	r.fail(http.StatusNotFound, "There is no such thing", "The subscription does not exist, or its dead letters are gone.")
	return false
}

// subscriptionOffers are the acts on a subscription.
func (h *Handler) subscriptionOffers(r *request, s *atrest.Subscription) []offer {
	all := []Act{ActPause}
	if s.Paused {
		all = []Act{ActResume}
	}
	if s.Dead > 0 {
		all = append(all, ActRetry, ActDiscard)
	}
	offers := h.offers(r, url.Values{"sub": {s.Name}}, all...)
	for i := range offers {
		offers[i].About = plain(s.Name, inList)
		if offers[i].Do == ActRetry || offers[i].Do == ActDiscard {
			offers[i].Text += map[bool]string{true: " the dead letter", false: " all dead letters"}[s.Dead == 1]
		}
	}
	return offers
}

// letterOffers are the acts on one dead letter.
func (h *Handler) letterOffers(r *request, name string, at store.Position) []offer {
	offers := h.offers(r, url.Values{"sub": {name}, "letter": {strconv.FormatUint(uint64(at), 10)}}, ActRetry, ActDiscard)
	for i := range offers {
		offers[i].About = "position " + number(int(at))
		if offers[i].Do == ActRetry {
			offers[i].Text += " from here on"
		}
	}
	return offers
}
