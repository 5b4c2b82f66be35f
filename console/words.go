package console

import (
	"fmt"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// because says why a verdict is what it is, in a sentence. Every reason has one.
var because = map[lifecycle.Reason]string{
	lifecycle.ReasonUnfamiliar:         "No token of this integration is known.",
	lifecycle.ReasonLive:               "The integration is enabled, and this is its current token.",
	lifecycle.ReasonDeleted:            "The integration was deleted in Mews.",
	lifecycle.ReasonSuperseded:         "A newer token took this one’s place.",
	lifecycle.ReasonCanceled:           "The integration was canceled in Mews.",
	lifecycle.ReasonDisabled:           "The integration was disabled in Mews.",
	lifecycle.ReasonRejected:           "Mews refuses the token with a 401.",
	lifecycle.ReasonDisputed:           "The token may belong to another enterprise or integration.",
	lifecycle.ReasonDeletedAccepted:    "The integration was deleted, and yet Mews accepts its token.",
	lifecycle.ReasonUnseen:             "Webhooks came for it, but not the one that announces it.",
	lifecycle.ReasonSuspectKey:         "Several tokens came close together, and any of them may be the current one.",
	lifecycle.ReasonSuspectCanceled:    "The webhooks leave open whether the integration is canceled.",
	lifecycle.ReasonSuspectEnabled:     "The webhooks leave open whether the integration is enabled.",
	lifecycle.ReasonDoubted:            "Something put the token in doubt, and Mews has not answered about it since.",
	lifecycle.ReasonUnattributed:       "Mews answered 401, which may be about your ClientToken and not about this token.",
	lifecycle.ReasonLease:              "What is known is too old to rely on.",
	lifecycle.ReasonUnavailable:        "The store did not answer.",
	lifecycle.ReasonRejectedOnce:       "Mews refused the token once, and is asked again before that counts.",
	lifecycle.ReasonUnproved:           "Mews has not yet confirmed that the token works, and whose it is.",
	lifecycle.ReasonSupersededUnproved: "A newer token came, and Mews has not yet confirmed it.",
	lifecycle.ReasonNameless:           "Nobody has told which integration of Mews this is, and webhooks came for one that it may be.",
	lifecycle.ReasonForked:             "The store went back to an earlier state, and what it lost may be about this integration.",
}

// ask says what a hotel can do about a reason. Of the others it hears that nothing is asked
// of it.
var ask = map[lifecycle.Reason]string{
	lifecycle.ReasonDeleted:  "The integration was deleted in Mews. To work with us again, please reconnect our app.",
	lifecycle.ReasonCanceled: "The integration was canceled in Mews. Please reinstate it, or reconnect our app.",
	lifecycle.ReasonDisabled: "The integration was disabled in Mews. Please enable it again.",
	lifecycle.ReasonRejected: "Mews refuses our access to your property. Please check in Mews that the integration is enabled, and tell us if its key was regenerated.",
	lifecycle.ReasonUnseen:   "Mews has not sent us the key of the integration. Please regenerate the key in Mews.",
	lifecycle.ReasonLive:     "The connection works. There is nothing for you to do.",
}

// whatToDo returns what a Rack's advice wants done, without the fact before it, which the page
// has said already.
func whatToDo(advice string) string {
	if _, what, ok := strings.Cut(advice, ": "); ok {
		advice = what
	}
	return capital(advice)
}

// capital begins a sentence of ours with a capital letter.
func capital(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// sentence says a verdict in one sentence or two.
func sentence(v keyrack.Verdict, now time.Time) string {
	text, ok := because[v.Reason]
	if !ok {
		text = "The reason is one that this page does not know."
	}
	if v.Status == lifecycle.Unknown && v.Reason != lifecycle.ReasonUnfamiliar {
		text += " Best guess: " + v.Guess().String() + "."
	}
	if v.Trouble {
		text += " Mews refuses probes at the moment, whatever the token, so this is what it was before."
	}
	if v.Assumed {
		text += " This is assumed, as the policy allows."
	}
	if v.Evidence.At != 0 {
		text += " This rests on " + basis(v.Evidence) + ", " + ago(lifecycle.At(now).Sub(v.Evidence.At)) + "."
	}
	return text
}

func basis(b lifecycle.Basis) string {
	if b.Kind == lifecycle.KindDelivery {
		return b.Action.String()
	}
	return kindOf(b.Kind)
}

// kindOf says where evidence comes from, in words.
func kindOf(k lifecycle.Kind) string {
	switch k {
	case lifecycle.KindProbe:
		return "an answer from Mews"
	case lifecycle.KindReport:
		return "one of the application’s calls"
	case lifecycle.KindImport:
		return "an import by hand"
	case lifecycle.KindUpgrade:
		return "newer rules"
	case lifecycle.KindSettle:
		return "a person’s word"
	}
	return k.String()
}

// what names the evidence of an entry.
func what(e *lifecycle.Evidence) string {
	switch e.Kind {
	case lifecycle.KindDelivery:
		if e.Action == lifecycle.ActionUnknown {
			return "unknown action"
		}
		return e.Action.String()
	case lifecycle.KindProbe:
		return "Mews asked: " + answerOf(e.Answer)
	case lifecycle.KindReport:
		return "own call: " + answerOf(e.Answer)
	case lifecycle.KindImport:
		return "imported by hand"
	case lifecycle.KindContest:
		return "token claimed by another"
	case lifecycle.KindErase:
		return "bodies erased by hand"
	case lifecycle.KindForget:
		return "forgotten by hand"
	case lifecycle.KindRestore:
		return "restored from an export"
	case lifecycle.KindProbeRequest:
		return "probe requested by hand"
	case lifecycle.KindIssue:
		return "token issued"
	case lifecycle.KindUpgrade:
		return "folded by newer rules"
	case lifecycle.KindSucceeded:
		return "took the place of another"
	case lifecycle.KindName:
		return "named: known by its token before"
	case lifecycle.KindLabel:
		return "labels changed by hand"
	case lifecycle.KindJoin:
		return "spellings joined"
	case lifecycle.KindSettle:
		return "settled by hand"
	case lifecycle.KindControl:
		return "subscription by hand: " + plain(e.Operation, inList)
	case lifecycle.KindTime:
		return "time passed"
	case lifecycle.KindFork:
		return "store went back"
	}
	return e.Kind.String()
}

func answerOf(a lifecycle.Answer) string {
	switch a {
	case lifecycle.NoAnswer:
		return "no answer"
	case lifecycle.Accepted:
		return "accepted (200)"
	case lifecycle.Rejected:
		return "refused (401)"
	case lifecycle.Unattributed:
		return "401, cause unknown"
	case lifecycle.RejectedOnce:
		return "refused once (401)"
	case lifecycle.Expected:
		return "refused as expected (401)"
	case lifecycle.Withdrawn:
		return "401 taken back"
	}
	return a.String()
}

// words replaces the underscores of a name by spaces.
func words(name string) string { return strings.ReplaceAll(name, "_", " ") }

// ago says a duration as a person would.
func ago(d time.Duration) string {
	if d < 5*time.Second {
		return "just now"
	}
	return span(d) + " ago"
}

// span says a duration in its largest unit that it has two of, or one.
func span(d time.Duration) string {
	for _, unit := range []struct {
		name string
		long time.Duration
	}{{"day", 24 * time.Hour}, {"hour", time.Hour}, {"minute", time.Minute}} {
		if n := int(d / unit.long); n >= 2 {
			return fmt.Sprintf("%d %ss", n, unit.name)
		}
	}
	if d < time.Second {
		return fmt.Sprintf("%.3g ms", float64(d.Microseconds())/1000)
	}
	if d < 2*time.Second {
		return "1 second"
	}
	return fmt.Sprintf("%d seconds", int(d/time.Second))
}

// moment is a time as a page shows it. The zero value shows as a dash.
type moment struct {
	ISO, Text, Ago string
}

func momentOf(t, now time.Time) moment {
	if t.IsZero() {
		return moment{}
	}
	t = t.UTC()
	m := moment{ISO: t.Format(time.RFC3339), Text: t.Format("Mon 2 Jan 15:04:05")}
	if now.Sub(t).Abs() > 300*24*time.Hour { // the year goes without saying
		m.Text = t.Format("2 Jan 2006 15:04:05")
	}
	switch d := t.Sub(now); {
	case d <= 0:
		m.Ago = ago(-d)
	case d < time.Second:
		m.Ago = "in a moment"
	default:
		m.Ago = "in " + span(d)
	}
	return m
}

// number writes a count with thin spaces between its thousands.
func number(n int) string {
	text := fmt.Sprint(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "\u202f" + text[at:]
	}
	return text
}

// several says a number of things, by the word for one and that for more.
func several(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return number(n) + " " + more
}
