package lifecycle

import (
	"strconv"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/keyrack-dev/keyrack/lifecycle/internal/belief"
)

// AppendRecord appends a record as JSON: the form in which stores keep it. Equal
// records give equal bytes. Written out by hand because it runs once for every
// delivery, and reflection costs ten times as much.
func AppendRecord(b []byte, r Record) []byte {
	w := objectWriter(b)
	w.number("Format", format)
	w.text("ID", r.ID)
	w.count("Rules", r.Rules)
	w.number("Version", r.Version)
	w.count("Generation", r.Generation)
	w.instant("Arrived", r.Arrived)
	if r.Basis != (Basis{}) {
		inner := w.object("Basis")
		inner.enum("Kind", kindNames[:], uint8(r.Basis.Kind))
		inner.enum("Action", actionNames[:], uint8(r.Basis.Action))
		inner.instant("At", r.Basis.At)
		w.close(inner)
	}
	w.instant("EnabledAt", r.EnabledAt)
	w.instant("CanceledAt", r.CanceledAt)
	w.text("Name", r.Name)
	w.named("Enterprise", r.Enterprise)
	w.text("AnsweredBy", r.AnsweredBy)
	w.named("Service", r.Service)
	w.text("Alias", r.Alias)
	w.text("Succeeds", r.Succeeds)
	w.text("Labels", string(r.Labels))
	w.instant("CreatedUtc", r.CreatedUtc)
	w.instant("DeletedUtc", r.DeletedUtc)
	w.instant("DeletedAt", r.DeletedAt)
	w.flag("Created", r.Created)
	w.course(r.State, &r.Enabled, &r.Canceled)
	if len(r.Parked) > 0 {
		w.array("Parked", len(r.Parked), func(w *writer, i int) {
			p := &r.Parked[i]
			w.course(p.State, &p.Enabled, &p.Canceled)
		})
	}
	if !r.Belief.IsZero() {
		w.name("Belief")
		w.b, _ = r.Belief.AppendText(append(w.b, '"'))
		w.b = append(w.b, '"')
	}
	if r.Possible != (belief.Answers{}) {
		w.name("Possible")
		w.b, _ = r.Possible.AppendText(append(w.b, '"'))
		w.b = append(w.b, '"')
	}
	if len(r.Keys) > 0 {
		w.array("Keys", len(r.Keys), func(w *writer, i int) { w.key(&r.Keys[i]) })
	}
	w.instant("Forked", r.Forked)
	w.flag("AsOfBackup", r.AsOfBackup)
	if len(r.Operations) > 0 {
		w.array("Operations", len(r.Operations), func(w *writer, i int) { w.operation(&r.Operations[i]) })
	}
	if r.LastTold != (told{}) {
		inner := w.object("LastTold")
		inner.instant("At", r.LastTold.At)
		inner.enum("Status", statusNames[:], uint8(r.LastTold.Status))
		inner.enum("Reason", reasonNames[:], uint8(r.LastTold.Reason))
		w.close(inner)
	}
	return w.end()
}

// AppendEvidence appends a piece of evidence as JSON: the form in which
// journals keep it.
func AppendEvidence(b []byte, e Evidence) []byte {
	w := objectWriter(b)
	w.number("Format", format)
	w.enum("Kind", kindNames[:], uint8(e.Kind))
	w.instant("At", e.At)
	if e.Horizon != 0 {
		w.name("HorizonNs")
		w.b = strconv.AppendInt(w.b, int64(e.Horizon), 10)
	}
	w.enum("Action", actionNames[:], uint8(e.Action))
	w.named("Integration", e.Integration)
	w.named("Enterprise", e.Enterprise)
	w.named("Service", e.Service)
	w.digest("Token", e.Token)
	w.instant("CreatedUtc", e.CreatedUtc)
	w.instant("DeletedUtc", e.DeletedUtc)
	w.enum("IsEnabled", flagNames[:], uint8(e.IsEnabled))
	w.enum("IsCanceled", flagNames[:], uint8(e.IsCanceled))
	w.text("AnsweredBy", e.AnsweredBy)
	w.text("Unread", e.Unread)
	w.text("Labels", string(e.Labels))
	w.text("Unlabel", e.Unlabel)
	w.text("Succeeds", e.Succeeds)
	w.text("Owner", e.Owner)
	w.text("By", e.By)
	w.enum("Answer", answerNames[:], uint8(e.Answer))
	w.instant("Began", e.Began)
	w.count("Generation", e.Generation)
	w.flag("Portfolio", e.Portfolio)
	w.text("Operation", e.Operation)
	w.text("Record", e.Record)
	w.enum("Status", statusNames[:], uint8(e.Status))
	w.enum("Reason", reasonNames[:], uint8(e.Reason))
	return w.end()
}

// writer appends the members of one JSON object, leaving out zero values.
type writer struct {
	b     []byte
	begun bool
}

func objectWriter(b []byte) writer { return writer{b: append(b, '{')} }

func (w *writer) end() []byte { return append(w.b, '}') }

// object begins a member that is an object; close ends it.
func (w *writer) object(name string) writer {
	w.name(name)
	return objectWriter(w.b)
}

func (w *writer) close(inner writer) { w.b = inner.end() }

func (w *writer) array(name string, n int, element func(*writer, int)) {
	w.name(name)
	w.b = append(w.b, '[')
	for i := range n {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		inner := objectWriter(w.b)
		element(&inner, i)
		w.close(inner)
	}
	w.b = append(w.b, ']')
}

func (w *writer) name(name string) {
	if w.begun {
		w.b = append(w.b, ',')
	}
	w.begun = true
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
}

func (w *writer) number(name string, n uint64) {
	w.name(name)
	w.b = strconv.AppendUint(w.b, n, 10)
}

func (w *writer) count(name string, n uint64) {
	if n != 0 {
		w.number(name, n)
	}
}

func (w *writer) flag(name string, on bool) {
	if on {
		w.name(name)
		w.b = append(w.b, "true"...)
	}
}

// text appends a string as a JSON string; broken UTF-8, which no decoder of
// ours lets through, becomes U+FFFD.
func (w *writer) text(name, s string) {
	if s != "" {
		w.name(name)
		w.b, _ = jsontext.AppendQuote(w.b, s)
	}
}

// plain appends a string that needs no escaping.
func (w *writer) plain(s string) {
	w.b = append(w.b, '"')
	w.b = append(w.b, s...)
	w.b = append(w.b, '"')
}

func (w *writer) enum(name string, names []string, v uint8) {
	if v != 0 {
		w.name(name)
		w.plain(nameOf(names, v))
	}
}

func (w *writer) instant(name string, i Instant) {
	if i != 0 {
		w.name(name)
		w.time(i)
	}
}

func (w *writer) time(i Instant) {
	w.b = append(w.b, '"')
	if i != 0 {
		w.b = i.append(w.b)
	}
	w.b = append(w.b, '"')
}

func (w *writer) digest(name string, d Digest) {
	if !d.isZero() {
		w.name(name)
		w.b = append(w.b, '"')
		w.b = d.append(w.b)
		w.b = append(w.b, '"')
	}
}

func (w *writer) named(name string, n Named) {
	if n != (Named{}) {
		inner := w.object(name)
		inner.text("ID", n.ID)
		inner.text("Name", n.Name)
		w.close(inner)
	}
}

func (w *writer) course(s State, enabled, canceled *pair) {
	w.enum("State", stateNames[:], uint8(s))
	w.pair("Enabled", enabled)
	w.pair("Canceled", canceled)
}

func (w *writer) pair(name string, p *pair) {
	if p.isZero() {
		return
	}
	inner := w.object(name)
	inner.instant("Since", p.Since)
	if len(p.Early) > 0 {
		inner.name("Early")
		for i, at := range p.Early {
			inner.b = append(inner.b, "[,"[min(i, 1)])
			inner.time(at)
		}
		inner.b = append(inner.b, ']')
	}
	w.close(inner)
}

func (w *writer) operation(o *operation) {
	w.text("Name", o.Name)
	w.instant("Accepted", o.Accepted)
	w.instant("Refused", o.Refused)
	w.instant("Forbidden", o.Forbidden)
}

func (w *writer) key(k *Key) {
	w.digest("Digest", k.Digest)
	w.enum("Status", keyStatusNames[:], uint8(k.Status))
	w.enum("From", actionNames[:], uint8(k.From))
	w.instant("Since", k.Since)
	w.instant("Until", k.Until)
	w.enum("Answer", answerNames[:], uint8(k.Answer))
	w.instant("Began", k.Began)
	w.count("Generation", k.Generation)
	w.instant("Accepted", k.Accepted)
	w.instant("Proved", k.Proved)
	w.count("Probed", k.Probed)
	w.instant("Doubt", k.Doubt)
	w.instant("At", k.At)
	w.instant("Refused", k.Refused)
	w.instant("Rests", k.Rests)
	w.flag("Rival", k.Rival)
	w.flag("Shed", k.Shed)
	w.text("Claim", k.Claim)
	w.flag("Provisional", k.Provisional)
	w.instant("Ended", k.Ended)
	w.text("Dispute", k.Dispute)
}
