package main

import (
	"io"
	"log/slog"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/front"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// newLogger returns a logger for people, from level info.
func newLogger(w io.Writer) *slog.Logger { return slog.New(slog.NewTextHandler(w, nil)) }

// logSettings say what a log looks like. The zero value is text, from level info.
type logSettings struct {
	format string // text or json
	level  string // of package slog, in small letters
}

func (s *logSettings) flags(flags *pflag.FlagSet) {
	flags.StringVar(&s.format, "log-format", formatText, "how the log is written: `text` or json")
	flags.StringVar(&s.level, "log-level", "info", "lowest `level` logged: debug, info, warn or error")
}

// open returns a logger. Callers log no token, no secret, no URL with its query and no person.
func (s *logSettings) open(w io.Writer) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.level)); err != nil {
		return nil, usage.Errorf("--log-level must be debug, info, warn or error")
	}
	options := &slog.HandlerOptions{Level: level}
	switch s.format {
	case formatText:
		return slog.New(slog.NewTextHandler(w, options)), nil
	case formatJSON:
		return slog.New(slog.NewJSONHandler(w, options)), nil
	}
	return nil, usage.Errorf("--log-format must be text or json")
}

// refusalPause is how long refusals of one kind stay silent after a line about them, so that
// a scanner cannot fill the log.
const refusalPause = 10 * time.Second

// deliveryLog writes a line for each delivery, and as many for refusals as a person needs.
// It is safe for concurrent use.
type deliveryLog struct {
	log *slog.Logger

	mu    sync.Mutex
	kinds map[keyrack.Refusal]*refusalCount
}

type refusalCount struct {
	silentUntil time.Time
	unsaid      int // refusals since the last line
}

func newDeliveryLog(log *slog.Logger) *deliveryLog {
	return &deliveryLog{log: log, kinds: make(map[keyrack.Refusal]*refusalCount)}
}

// refused logs a request that was refused in front of the Rack.
func (d *deliveryLog) refused(o keyrack.ServedRequest) {
	hint := "the path of the webhook is exact: leave out the slash at its end"
	if o.Refusal == front.RefusedPage {
		hint = "a web page may have sent it: where no secret protects the webhook, Mews is told from pages by what only they send"
	}
	if n := d.count(o.Refusal, time.Now()); n > 0 {
		d.log.Warn("request refused", "why", o.Refusal, "times", n, "status", o.Status, "hint", hint)
	}
}

// observe logs a delivery that was taken in. What the Rack refuses it logs itself.
func (d *deliveryLog) observe(o keyrack.ServedRequest) {
	answer := slog.Group("answer", "status", o.Status, "took", o.Took.Round(time.Microsecond))
	switch decision := o.Receipt.Decision; {
	case o.Refusal != "":
	case o.Receipt.General != nil && o.Receipt.ID.IsZero():
		d.log.Info("general webhook", answer)
	case o.Receipt.Integration == "":
		// An alarm says so as well: there may be a token in it that nobody has now.
		d.log.Warn("delivery that names no integration", answer)
	default:
		attrs := []any{
			"action", decision.Action, "integration", o.Receipt.Integration, "outcome", decision.Outcome,
			"state", decision.To, "verdict", o.Receipt.Verdict.Status, "reason", o.Receipt.Verdict.Reason,
		}
		if cause := decision.Cause; cause != "" {
			attrs = append(attrs, "cause", cause)
		}
		d.log.Info("delivery", append(attrs, answer)...)
	}
}

// count counts a refusal and returns how many the next line reports; 0 means no line.
func (d *deliveryLog) count(kind keyrack.Refusal, now time.Time) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.kinds[kind]
	if c == nil {
		c = new(refusalCount)
		d.kinds[kind] = c
	}
	c.unsaid++
	if now.Before(c.silentUntil) {
		return 0
	}
	n := c.unsaid
	c.unsaid, c.silentUntil = 0, now.Add(refusalPause)
	return n
}
