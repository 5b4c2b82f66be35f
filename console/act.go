package console

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/internal/entry"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// An act goes this way. What takes more words than who and why begins with a form:
//
//	act (GET) ─► [form ─► preview (POST)] ─► what it would do ─► do (POST) ─► 303 to where it shows
//
// Nothing changes before the last step, whose form carries a ticket.

// acts are all acts with their words.
var acts = map[Act]struct {
	kind    lifecycle.Kind
	link    string // where it is offered
	title   string
	lead    string
	button  string
	done    string // said afterwards
	forever bool   // it cannot be undone
	form    bool   // it takes a form of its own
}{
	ActProbe: {
		kind: lifecycle.KindProbeRequest, link: "Ask Mews now", title: "Ask Mews now", button: "Ask Mews",
		lead: "Mews is asked whether the token works, as soon as its turn comes. Until then the verdict stays as it is.",
		done: "Mews will be asked as soon as its turn comes. Load the page again for the answer.",
	},
	ActSettle: {
		kind: lifecycle.KindSettle, link: "Settle by hand", title: "Settle by hand", button: "Settle it", form: true,
		lead: "Say how things are, as you found out. What comes later may say otherwise, and an answer from Mews counts more than a person’s word.",
		done: "Your word was taken in.",
	},
	ActImport: {
		kind: lifecycle.KindImport, link: "Import a token", title: "Import by hand", button: "Import it", form: true,
		lead: "Bring an integration with its token, and its names. An import is the only thing that reopens a deleted integration.",
		done: "It was imported.",
	},
	ActName: {
		kind: lifecycle.KindName, link: "Say which it is", title: "Name the integration", button: "Name it", form: true,
		lead: "Say which integration of Mews this is. Its token, its labels and its history become that one’s. Both must be of one enterprise.",
		done: "It has its name.",
	},
	ActLabel: {
		kind: lifecycle.KindLabel, link: "Change labels", title: "Change labels", button: "Change them", form: true,
		lead: "Labels are what your application notes about an integration, such as its tenant. They change no verdict, and must hold no secret.",
		done: "The labels are changed.",
	},
	ActErase: {
		kind: lifecycle.KindErase, link: "Erase personal data", title: "Erase personal data", button: "Erase it for good", forever: true,
		lead: "The bodies of all deliveries are erased, with what they say of persons, and so is who did something by hand before, and why. Verdicts, history and tokens stay.",
		done: "The bodies are erased.",
	},
	ActForget: {
		kind: lifecycle.KindForget, link: "Forget", title: "Forget the integration", button: "Forget it for good", forever: true,
		lead: "Everything about it is erased: its record, its history, its tokens and their digests. What is left is an entry that says so.",
		done: "It is forgotten. The newest entry below says so.",
	},
	ActPause: {
		kind: lifecycle.KindControl, link: "Pause", title: "Pause the subscription", button: "Pause it",
		lead: "Its handler is not called until somebody lets it go on. Nothing is lost: what happens meanwhile waits in the journal.",
		done: "It pauses within about a second.",
	},
	ActResume: {
		kind: lifecycle.KindControl, link: "Let it go on", title: "Let the subscription go on", button: "Let it go on",
		lead: "Its handler is called again, from where it stopped.",
		done: "It goes on within about a second.",
	},
	ActRetry: {
		kind: lifecycle.KindControl, link: "Try again", title: "Try dead letters again", button: "Try again",
		lead: "The subscription goes back to just before the dead letter. Its handler gets that change and all later ones again, with the same ids. What fails again becomes a dead letter again.",
		done: "It goes back, and tries them again within about a second.",
	},
	ActDiscard: {
		kind: lifecycle.KindControl, link: "Discard", title: "Discard dead letters", button: "Discard", forever: true,
		lead: "Do by hand first what the handler should have done. The entries of the journal stay.",
		done: "Discarded.",
	},
}

// may reports whether a visitor may do something.
func (h *Handler) may(r *request, do Act) bool {
	_, known := acts[do]
	return known && h.options.May != nil && h.options.May(r.visitor, do) && (do != ActProbe || h.options.Prober)
}

// offer is an act as a page offers it.
type offer struct {
	Do                Act
	Href, Text, About string
	Forever           bool // it cannot be undone
}

// offers returns those of some acts that the visitor may do.
func (h *Handler) offers(r *request, query url.Values, all ...Act) (some []offer) {
	for _, do := range all {
		if h.may(r, do) {
			query.Set("do", string(do))
			some = append(some, offer{Do: do, Href: "./act?" + query.Encode(), Text: acts[do].link, Forever: acts[do].forever})
		}
	}
	return some
}

// standing is a verdict in words.
type standing struct{ Label, Status, Reason, Sentence string }

func (r *request) standing(label string, v keyrack.Verdict) standing {
	return standing{label, v.Status.String(), words(v.Reason.String()), sentence(v, r.now)}
}

// actPage is the page that shows what an act would do, and that confirms it.
type actPage struct {
	frame
	Lead, Button, Cancel string
	Wrong                string
	Verdicts             []standing // before and after, or the one that stays
	Effect               string
	Refused              bool // it would change nothing
	Facts                []fact
	Forever              bool
	Ticket, Who, Why     string
}

// act begins an act.
func (h *Handler) act(r *request) {
	query := r.URL.Query()
	do := Act(query.Get("do"))
	if !h.may(r, do) {
		r.forbidden()
		return
	}
	t := newTicket(do, r.now)
	t.Integration, t.Subscription = lifecycle.CanonicalID(query.Get("id")), query.Get("sub")
	if n, err := strconv.ParseUint(query.Get("letter"), 10, 64); err == nil {
		t.Letter = store.Position(n)
	}
	if do == ActName {
		t.Nameless, t.Integration = t.Integration, ""
	}
	if acts[do].form {
		h.showForm(r, &t, "")
		return
	}
	h.confirm(r, &t, http.StatusOK, "")
}

func (r *request) forbidden() {
	r.fail(http.StatusForbidden, "You may not do that here", "Who may do what is the choice of those who run this page. Reading is not changed by it.")
}

// preview shows what a form would do.
func (h *Handler) preview(r *request) {
	r.Body = http.MaxBytesReader(r.w, r.Body, maxForm)
	do := Act(r.PostFormValue("do"))
	if !h.may(r, do) || !acts[do].form {
		r.forbidden()
		return
	}
	t := newTicket(do, r.now)
	if wrong := h.readForm(r, &t); wrong != "" {
		h.showForm(r, &t, wrong)
		return
	}
	h.confirm(r, &t, http.StatusOK, "")
}

// confirm shows what an act would do, and asks who wants it and why.
func (h *Handler) confirm(r *request, t *ticket, status int, wrong string) {
	words := acts[t.Do]
	p := actPage{frame: r.frame("integrations", words.title), Lead: words.lead, Button: words.button, Forever: words.forever, Wrong: wrong}
	p.Acting = true
	p.Who, p.Why = plain(r.PostFormValue("who"), inFull), plain(r.PostFormValue("why"), inFull)
	a, ok := h.deed(t)
	if !ok {
		r.gone()
		return
	}
	if words.kind == lifecycle.KindControl {
		if !h.confirmControl(r, t, &p) {
			return
		}
	} else {
		preview, err := h.rack.Preview(a)
		if errors.Is(err, keyrack.ErrInvalid) && words.form {
			h.showForm(r, t, advice(err))
			return
		}
		if err != nil {
			r.failed(err)
			return
		}
		t.Version = preview.Version
		p.Cancel = integrationHref(cmp.Or(t.Nameless, t.Integration))
		if preview.Version == 0 && t.Nameless == "" {
			p.Cancel = "./integrations"
		}
		p.Verdicts = []standing{r.standing("Now", preview.Was), r.standing("Afterwards", preview.Is)}
		if was, is := p.Verdicts[0], p.Verdicts[1]; was.Status == is.Status && was.Sentence == is.Sentence {
			p.Verdicts = []standing{r.standing("Now and afterwards", preview.Is)}
		}
		p.Effect, p.Refused = h.effect(&preview, t.Do)
		h.facts(t, &p)
	}
	p.Ticket = t.String()
	r.show(status, "act.html", p)
}

// gone answers for a confirmation that no longer means anything.
func (r *request) gone() {
	r.fail(http.StatusConflict, "This confirmation does not count any more", "It was made before this page was started anew, or by another instance. Nothing was done. Start again from the integration.")
}

// effect says what becomes of an act about an integration.
func (h *Handler) effect(p *keyrack.Preview, do Act) (text string, refused bool) {
	switch p.Decision.Outcome {
	case lifecycle.Applied:
	case lifecycle.Stale:
		return "It would be refused: the integration was deleted in Mews, and only an import reopens it.", true
	case lifecycle.Conflict:
		return "It would be refused, because it contradicts what is known: " + p.Decision.Cause + ".", true
	default:
		return "It would change nothing: " + words(p.Decision.Outcome.String()) + ".", false
	}
	text = "The verdict stays as it is."
	if p.Was.Status != p.Is.Status {
		text = "The verdict becomes " + p.Is.Status.String() + "."
	} else if p.Was.Reason != p.Is.Reason {
		text = "The verdict stays " + p.Is.Status.String() + ", for another reason."
	}
	if h.options.Prober && (do == ActSettle || do == ActImport || do == ActName) {
		text += " Mews is asked afterwards, and its answer counts more."
	}
	return text, false
}

// do does what a ticket says, once.
func (h *Handler) do(r *request) {
	r.Body = http.MaxBytesReader(r.w, r.Body, maxForm)
	t, ok := parseTicket(r.PostFormValue("ticket"))
	if !ok {
		r.gone()
		return
	}
	if !h.may(r, t.Do) {
		r.forbidden()
		return
	}
	a, ok := h.deed(&t)
	if !ok {
		r.gone()
		return
	}
	who, why := strings.TrimSpace(r.PostFormValue("who")), strings.TrimSpace(r.PostFormValue("why"))
	switch {
	case who == "" || why == "":
		h.confirm(r, &t, http.StatusUnprocessableEntity, "Say who you are, and why: the journal keeps both.")
		return
	case acts[t.Do].forever && r.PostFormValue("sure") == "":
		h.confirm(r, &t, http.StatusUnprocessableEntity, "It cannot be undone. Tick the box if you are sure.")
		return
	}
	a.Who, a.Why, a.By = keyrack.NewToken(who), keyrack.NewToken(why), r.visitor.Name
	receipt, err := h.rack.Act(r.Context(), a)
	switch {
	case errors.Is(err, keyrack.ErrInvalid):
		h.confirm(r, &t, http.StatusUnprocessableEntity, advice(err))
	case errors.Is(err, store.ErrConflict):
		h.confirm(r, &t, http.StatusConflict, "Something happened meanwhile, so nothing was done. Look again at what it would do now.")
	case errors.Is(err, atrest.ErrNoLetters):
		r.fail(http.StatusConflict, "The dead letters are gone", "Somebody else has seen to them.")
	case err != nil:
		r.failed(err)
	default:
		r.leave(t.shownAt(receipt.ID))
	}
}

// shownAt returns where it shows that an act was done.
func (t *ticket) shownAt(id store.EntryID) string {
	did := "did=" + url.QueryEscape(id.String())
	switch {
	case acts[t.Do].kind == lifecycle.KindControl:
		return "subscriptions?" + did
	case t.Do == ActForget:
		return "deliveries?show=by-hand&" + did
	}
	return strings.TrimPrefix(integrationHref(t.Integration), "./") + "&" + did
}

// did says that an act was done, on the page that the visitor comes to from its confirmation.
// It says so only of an entry that the journal has.
func (r *request) did(c *keyrack.Change) string {
	if r.done == "" || !entry.ByHand(c.Evidence.Kind) || c.ID.String() != r.done {
		return ""
	}
	if o := c.Decision.Outcome; o != lifecycle.Applied {
		return "It is in the journal, and changed nothing: " + words(o.String()) + "."
	}
	for do, a := range acts {
		controls := a.kind == lifecycle.KindControl
		if a.kind == c.Evidence.Kind && (!controls || strings.HasPrefix(c.Evidence.Operation, string(do)+" ")) {
			return a.done
		}
	}
	return ""
}

// advice is the text of a mistake of the visitor's, without the name of the package.
func advice(err error) string {
	return capital(strings.TrimPrefix(err.Error(), keyrack.ErrInvalid.Error()+": ")) + "."
}
