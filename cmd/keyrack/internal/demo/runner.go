package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// mewsTimeout is how long Mews waits for an answer.
const mewsTimeout = 5 * time.Second

// runner delivers steps as Mews would and asks the Rack after each of them. It is for
// one goroutine.
type runner struct {
	rack   *keyrack.Rack
	out    io.Writer
	addr   string // of the receiver
	secret string
	client *http.Client
	seen   chan keyrack.ServedRequest // of the receiver's handler, one for each delivery
	tokens []lifecycle.Token          // in the order of their arrival
}

const (
	lineFormat = "  %-24s  %-4v  %-10v  %-19v  %s\n"
	header     = `A hotel's life, delivered over HTTP to %s and kept in memory.

Webhooks do not say when something happened, or in which order. They arrive
within a horizon, repetitions included: %v minutes by default, %v seconds
here, to keep the demo short. The demo waits at "Later than the horizon".

`
)

// play plays steps and prints them. It fails at the first step that comes out otherwise
// than it should.
func (r *runner) play(ctx context.Context, steps []step) error {
	began, deliveries, integration := time.Now(), 0, ""
	if err := r.print(header+lineFormat, r.addr, usual.Minutes(), horizon.Seconds(),
		"delivery", "HTTP", "outcome", "state", "is the token valid?"); err != nil {
		return err
	}
	for i, s := range steps {
		if err := r.print("\n%s\n", s.say); err != nil {
			return err
		}
		if s.pause {
			if err := pause.For(ctx, beyondHorizon); err != nil {
				return err
			}
		}
		seen := keyrack.ServedRequest{}
		if s.body != "" {
			var err error
			if seen, err = r.deliver(ctx, s.body); err != nil {
				return fmt.Errorf("step %d, %s: %w", i+1, s.body, err)
			}
			deliveries++
		}
		if s.token > len(r.tokens) {
			return fmt.Errorf("step %d asks about token %d, which has not arrived", i+1, s.token)
		}
		v := r.rack.Check(r.tokens[s.token-1].Reveal())
		integration = v.Integration
		if err := r.tell(s, seen, v); err != nil {
			return err
		}
		got := outcome{seen.Receipt.Decision.Outcome, v.State, v.Status, v.Reason}
		if got != s.want {
			return fmt.Errorf("step %d of the demo came out wrong: got %v, want %v; "+
				"this can happen on a machine that stalls for more than %v, so try again; if it happens again, report it",
				i+1, got, s.want, horizon)
		}
	}
	entries := 0
	for _, err := range r.rack.History(ctx, integration) {
		if err != nil {
			return err
		}
		entries++
	}
	if entries != deliveries {
		return fmt.Errorf("the journal has %d entries of %d deliveries", entries, deliveries)
	}
	return r.print("\nAll %d deliveries came out as they should and are in the journal. It took %.1f s.\n",
		deliveries, time.Since(began).Seconds())
}

// deliver sends a body as Mews does, and returns what the receiver made of it.
func (r *runner) deliver(ctx context.Context, file string) (keyrack.ServedRequest, error) {
	body, err := Body(file)
	if err != nil {
		return keyrack.ServedRequest{}, err
	}
	r.note(body)
	target := url.URL{
		Scheme: "http", Host: r.addr, Path: keyrack.DefaultPath, RawQuery: url.Values{"Token": {r.secret}}.Encode(),
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), bytes.NewReader(body))
	if err != nil {
		return keyrack.ServedRequest{}, errors.New("the request cannot be built")
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.client.Do(req)
	if err != nil {
		if u := new(url.Error); errors.As(err, &u) {
			err = u.Err // the URL has the secret in it
		}
		return keyrack.ServedRequest{}, err
	}
	_, _ = io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
	seen := keyrack.ServedRequest{}
	select {
	case seen = <-r.seen:
	default: // the handler reports before it answers
	}
	if resp.StatusCode != http.StatusNoContent || seen.Status != resp.StatusCode {
		return seen, fmt.Errorf("the receiver answered %d, want %d", resp.StatusCode, http.StatusNoContent)
	}
	return seen, nil
}

// note gives a token that comes for the first time its number.
func (r *runner) note(body []byte) {
	event, err := events.Decode(body)
	if err != nil {
		return
	}
	for _, token := range []lifecycle.Token{event.AccessToken, event.ApiKey} {
		known := token.IsZero()
		for _, t := range r.tokens {
			known = known || t.Equal(token)
		}
		if !known {
			r.tokens = append(r.tokens, token)
		}
	}
}

// tell prints the line of one step.
func (r *runner) tell(s step, seen keyrack.ServedRequest, v keyrack.Verdict) error {
	verdict := fmt.Sprintf("token %d: %v, %v", s.token, v.Status, v.Reason)
	if v.Status == lifecycle.Unknown {
		verdict += fmt.Sprintf(" (probably %v)", v.Guess())
	}
	if s.body == "" {
		return r.print(lineFormat, "(no delivery)", "", "", v.State, verdict)
	}
	return r.print(lineFormat, seen.Receipt.Action, seen.Status, seen.Receipt.Decision.Outcome, v.State, verdict)
}

func (r *runner) print(format string, args ...any) error {
	_, err := fmt.Fprintf(r.out, format, args...)
	return err
}
