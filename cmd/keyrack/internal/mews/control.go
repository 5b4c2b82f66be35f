package mews

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// maxBody bounds what a call of the control API may send.
const maxBody = 64 << 10

// maxAdvance bounds one move of the clock, which sends everything that falls due in it.
const maxAdvance = 10 * 366 * 24 * time.Hour

// refusal is a call that is not done, with the status and what to do instead.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return r.text }

func refusef(status int, format string, args ...any) error {
	return refusal{status, fmt.Sprintf(format, args...)}
}

// control adds a route of the control API. Calls wait for one another.
func (m *Mews) control(pattern string, call func(*http.Request) (status int, document any, err error)) {
	m.mux.HandleFunc(pattern, func(w http.ResponseWriter, req *http.Request) {
		m.mu.Lock()
		defer m.mu.Unlock()
		status, document, err := call(req)
		var refused refusal
		if errors.As(err, &refused) {
			status, document = refused.status, problem{refused.text}
		}
		m.answer(w, status, document)
	})
}

// answer answers with JSON, dated by the World's clock.
func (m *Mews) answer(w http.ResponseWriter, status int, document any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Date", m.world.Now().UTC().Format(http.TimeFormat))
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(document) // a client that has gone is not our concern
}

// read reads the body of a call into a document. An empty body is an empty document.
func read(req *http.Request, into any) error {
	body, err := io.ReadAll(io.LimitReader(req.Body, maxBody+1))
	switch {
	case err != nil:
		return refusef(http.StatusBadRequest, "the body could not be read")
	case len(body) > maxBody:
		return refusef(http.StatusRequestEntityTooLarge, "the body is longer than %d bytes", maxBody)
	case len(bytes.TrimSpace(body)) == 0:
		return nil
	case !strings.HasPrefix(req.Header.Get("Content-Type"), "application/json"):
		return refusef(http.StatusUnsupportedMediaType, "send the body as application/json")
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return refusef(http.StatusBadRequest, "the body is not what this path takes: %v", err)
	}
	if decoder.More() {
		return refusef(http.StatusBadRequest, "the body is more than one JSON object")
	}
	return nil
}

func (m *Mews) integrations(*http.Request) (int, any, error) {
	all := []integration{}
	for i := range m.world.Integrations() {
		all = append(all, document(i))
	}
	return http.StatusOK, integrations{all}, nil
}

// find returns the integration of a request's path.
func (m *Mews) find(req *http.Request) (*mewstest.Integration, error) {
	if i := m.world.Integration(lifecycle.CanonicalID(req.PathValue("id"))); i != nil {
		return i, nil
	}
	return nil, refusef(http.StatusNotFound, "no such integration; GET /control/integrations lists all")
}

func (m *Mews) integration(req *http.Request) (int, any, error) {
	i, err := m.find(req)
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, document(i), nil
}

func (m *Mews) connect(req *http.Request) (int, any, error) {
	var c connection
	if err := read(req, &c); err != nil {
		return 0, nil, err
	}
	if strings.TrimSpace(c.Hotel) == "" {
		return 0, nil, refusef(http.StatusBadRequest, `"hotel" is missing: the name of the hotel that connects`)
	}
	var i *mewstest.Integration
	sent := m.step(func() {
		i = m.world.ConnectAs(mewstest.Connection{
			Hotel: c.Hotel, Service: c.Service, Name: c.Name, Portfolio: c.Portfolio, Disabled: c.Disabled, Unannounced: c.Unannounced,
		})
	})
	return http.StatusCreated, changed{document(i), sent}, nil
}

// changes are what can happen to an integration, by the last part of the path.
var changes = map[string]func(*mewstest.Integration) *mewstest.Message{
	"enable":    (*mewstest.Integration).Enable,
	"disable":   (*mewstest.Integration).Disable,
	"cancel":    (*mewstest.Integration).Cancel,
	"reinstate": (*mewstest.Integration).Reinstate,
	"rotate":    (*mewstest.Integration).RotateKey,
	"delete":    (*mewstest.Integration).Delete,
}

func (m *Mews) act(req *http.Request) (int, any, error) {
	act := changes[req.PathValue("act")]
	if act == nil {
		return 0, nil, refusef(http.StatusNotFound, "an integration can be enabled, disabled, canceled, reinstated, rotated or deleted: …/enable, disable, cancel, reinstate, rotate, delete")
	}
	if err := read(req, &struct{}{}); err != nil {
		return 0, nil, err
	}
	i, err := m.find(req)
	if err != nil {
		return 0, nil, err
	}
	sent := m.step(func() { act(i) })
	return http.StatusOK, changed{document(i), sent}, nil
}

// step does something, moves the clock by a Step, and returns what was sent.
func (m *Mews) step(do func()) []webhook { return m.advance(do, Step) }

func (m *Mews) advance(do func(), d time.Duration) []webhook {
	_, before := m.attempts()
	do()
	m.world.Advance(d)
	last, count := m.attempts()
	return m.sent(last[len(last)-min(count-before, len(last)):])
}

// attempts returns how the last attempts ended, and how many there were in all.
func (m *Mews) attempts() (last []mewstest.LogEntry, count int) {
	m.entries.Lock()
	defer m.entries.Unlock()
	return m.entries.last[max(0, len(m.entries.last)-keptWebhooks):], m.entries.count
}

// sent returns what the control API tells of attempts.
func (m *Mews) sent(entries []mewstest.LogEntry) []webhook {
	ids := []string{""} // by number
	for i := range m.world.Integrations() {
		ids = append(ids, i.ID())
	}
	all := make([]webhook, len(entries))
	for n, e := range entries {
		outcome, _ := outcomeOf(e)
		all[n] = webhook{m.began.Add(e.At).UTC(), e.What, ids[e.Integration], outcome, e.Status, e.Attempt, e.Note}
	}
	return all
}

func (m *Mews) webhooks(*http.Request) (int, any, error) {
	last, _ := m.attempts()
	return http.StatusOK, webhooks{m.sent(last)}, nil
}

func (m *Mews) next(req *http.Request) (int, any, error) {
	var f fate
	if err := read(req, &f); err != nil {
		return 0, nil, err
	}
	delay, err := span("delay", f.Delay)
	switch {
	case err != nil:
		return 0, nil, err
	case f == fate{}:
		return 0, nil, refusef(http.StatusBadRequest, `nothing is to happen to the next webhook; send "lose", "duplicate" or "reorder" as true, or "delay" as a duration such as "10m"`)
	case f.Lose && (f.Duplicate || f.Reorder || delay > 0):
		return 0, nil, refusef(http.StatusBadRequest, `a webhook that is lost is neither repeated nor late; send "lose" alone`)
	case f.Reorder && delay > 0:
		return 0, nil, refusef(http.StatusBadRequest, `send "reorder" or "delay": one that waits for the next webhook has no delay of its own`)
	}
	m.world.Next(mewstest.Fate{Lose: f.Lose, Duplicate: f.Duplicate, Reorder: f.Reorder, Delay: delay})
	return http.StatusOK, f, nil
}

func (m *Mews) connector(*http.Request) (int, any, error) { return http.StatusOK, m.trouble, nil }

func (m *Mews) setConnector(req *http.Request) (int, any, error) {
	var t trouble
	if err := read(req, &t); err != nil {
		return 0, nil, err
	}
	latency, err := span("latency", t.Latency)
	switch {
	case err != nil:
		return 0, nil, err
	case latency > time.Minute:
		return 0, nil, refusef(http.StatusBadRequest, `"latency" is longer than a minute`)
	case t.Status != 0 && (t.Status < 400 || t.Status > 599):
		return 0, nil, refusef(http.StatusBadRequest, `"status" must be an error, from 400 to 599; 0 or nothing ends it`)
	}
	m.trouble = t
	connector := m.world.Connector()
	connector.SetLatency(mewstest.Spread{Min: latency, Max: latency})
	connector.Break(mewstest.Trouble{Status: t.Status})
	client := m.client
	if t.RefuseClientToken {
		client = lifecycle.NewToken("refused")
	}
	connector.SetClientToken(client)
	return http.StatusOK, t, nil
}

func (m *Mews) clock(*http.Request) (int, any, error) {
	return http.StatusOK, clock{Now: m.world.Now().UTC()}, nil
}

func (m *Mews) setClock(req *http.Request) (int, any, error) {
	var c clockMove
	if err := read(req, &c); err != nil {
		return 0, nil, err
	}
	d, err := span("advance", c.Advance)
	if err != nil {
		return 0, nil, err
	}
	if c.Set != nil {
		if c.Advance != "" {
			return 0, nil, refusef(http.StatusBadRequest, `send "advance" or "set", not both`)
		}
		d = c.Set.Sub(m.world.Now())
	}
	switch {
	case d < 0:
		return 0, nil, refusef(http.StatusBadRequest, "the clock cannot go back; it stands at %s", m.world.Now().UTC().Format(time.RFC3339Nano))
	case d > maxAdvance:
		return 0, nil, refusef(http.StatusBadRequest, "the clock can move by ten years at most in one call")
	}
	sent := m.advance(func() {}, d)
	return http.StatusOK, clock{m.world.Now().UTC(), sent}, nil
}

// span reads a duration of a document.
func span(name, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, refusef(http.StatusBadRequest, `%q must be a duration of at least 0, such as "90s" or "10m"`, name)
	}
	return d, nil
}
