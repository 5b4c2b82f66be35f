package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/pause"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// comparison is what was true, and what the receiver says.
type comparison struct {
	integrations, works, deleted int
	tokens                       int
	right, undecided             int // of the integrations' current tokens
	unheard                      int // of the undecided: no webhook ever told of the token
	differences                  []mewstest.Difference
}

// wrong tells how often the receiver was wrong with certainty.
func (c *comparison) wrong() (valid, invalid int) {
	for _, d := range c.differences {
		switch d.Stance {
		case mewstest.Wrong:
			valid++
		case mewstest.Denied:
			invalid++
		}
	}
	return valid, invalid
}

// compare asks until the receiver is not wrong or, if it can ask Mews, until it is
// right about everything that it ever heard of; or else until it has had its time.
func (s *simulation) compare(ctx context.Context) (comparison, error) {
	patient, gap := secondLook, 200*time.Millisecond
	if s.connector != "" {
		patient, gap = s.within, time.Second
	}
	for end := time.Now().Add(patient); ; {
		c, err := s.once(ctx)
		if err != nil {
			return c, err
		}
		valid, invalid := c.wrong()
		settled := valid+invalid == 0 && (s.connector == "" || c.undecided == c.unheard)
		if settled || time.Now().After(end) {
			return c, nil
		}
		if err := pause.For(ctx, gap); err != nil {
			return c, err
		}
	}
}

// once asks about every token.
func (s *simulation) once(ctx context.Context) (comparison, error) {
	var c comparison
	var failed error
	unheard := map[string]bool{} // by token
	ask := func(token string) lifecycle.Status {
		c.tokens++
		if failed != nil {
			return lifecycle.Unknown
		}
		i, _, err := s.client.introspect(ctx, lifecycle.NewToken(token))
		failed = err
		unheard[token] = i.Reason == lifecycle.ReasonUnfamiliar
		return i.Status
	}
	undecided := map[string]bool{}
	for d := range s.world.Differences(ask) {
		c.differences = append(c.differences, d)
		if d.Stance == mewstest.Undecided {
			undecided[d.Integration.ID()] = true
			if unheard[d.Integration.Token()] {
				c.unheard++
			}
		}
	}
	differing := map[string]bool{}
	for _, d := range c.differences {
		differing[d.Integration.ID()] = true
	}
	for i := range s.world.Integrations() {
		c.integrations++
		switch {
		case i.Deleted():
			c.deleted++
		case i.Works():
			c.works++
		}
		if !differing[i.ID()] {
			c.right++
		}
	}
	c.undecided = len(undecided)
	return c, failed
}

// tell prints the account, and fails where the receiver was wrong with certainty.
func (s *simulation) tell(c comparison, took time.Duration) error {
	stats := s.world.Stats()
	valid, invalid := c.wrong()
	var err error
	if s.output.text() {
		err = s.tellText(c, stats, took)
	} else {
		err = s.output.value(s.document(c, stats, took))
	}
	if err != nil {
		return err
	}
	if stats.Discarded > 0 {
		err = fmt.Errorf("%d webhooks were not taken in; %s", stats.Discarded, s.refusedHint(stats))
	}
	if valid+invalid > 0 {
		text := fmt.Sprintf("the receiver is wrong with certainty about %d tokens", valid+invalid)
		if stats.Lost > 0 && s.connector == "" {
			text += "; webhooks were lost, which only a receiver that asks Mews can find out"
		}
		err = errors.Join(err, errors.New(text))
	}
	return err
}

// refusedHint says what to do about webhooks that were not taken in.
func (s *simulation) refusedHint(stats mewstest.Stats) string {
	for _, status := range []int{0, http.StatusUnauthorized, http.StatusNotFound, http.StatusServiceUnavailable} {
		if stats.Answers[status] > 0 {
			a := mewstest.Answer{Status: status}
			if status == 0 {
				a.Trouble = "no answer"
			}
			return s.target.hint(a)
		}
	}
	return "the receiver refused them"
}

func (s *simulation) tellText(c comparison, stats mewstest.Stats, took time.Duration) error {
	valid, invalid := c.wrong()
	var b strings.Builder
	fmt.Fprintf(&b, "seed %d: %d changes in %.1f s, settled after %.1f s\n\n", s.seed, stats.Changes, s.duration.Seconds(), took.Seconds())
	var t table
	t.row("webhooks", fmt.Sprintf("%d of changes, %d sent twice, %d lost, %d not taken in after %d attempts",
		stats.Messages, stats.Duplicates, stats.Lost, stats.Discarded, simulatedAttempts))
	t.row("answers", describeAnswers(stats.Answers))
	if s.connector != "" {
		t.row("asked", describeAnswers(stats.Requests))
	}
	t.row("truth", fmt.Sprintf("%d integrations: %d work, %d do not, %d are deleted",
		c.integrations, c.works, c.integrations-c.works-c.deleted, c.deleted))
	t.row("receiver", fmt.Sprintf("right about %d, unknown about %d; of %d tokens wrongly valid %d, wrongly invalid %d",
		c.right, c.undecided, c.tokens, valid, invalid))
	_ = t.write(&b) // a Builder takes everything
	if len(c.differences) > 0 {
		b.WriteString("\ndifferences\n")
	}
	for _, d := range c.differences {
		fmt.Fprintf(&b, "  %v\n", d)
	}
	return s.output.printf("%s", b.String())
}

// simulationDocument is the account for a program.
type simulationDocument struct {
	Seed         uint64               `json:"seed"`
	Changes      int                  `json:"changes"`
	Messages     int                  `json:"messages"`
	Duplicates   int                  `json:"duplicates"`
	Lost         int                  `json:"lost"`
	Discarded    int                  `json:"discarded"`
	Answers      map[int]int          `json:"answers"`            // by status; 0 is none
	Requests     map[int]int          `json:"requests,omitempty"` // to the Connector API, likewise
	Took         float64              `json:"took_ms"`
	Integrations int                  `json:"integrations"`
	Works        int                  `json:"works"`
	Deleted      int                  `json:"deleted"`
	Tokens       int                  `json:"tokens"`
	Right        int                  `json:"right"`
	Unknown      int                  `json:"unknown"`
	WrongValid   int                  `json:"wrongly_valid"`
	WrongInvalid int                  `json:"wrongly_invalid"`
	Differences  []differenceDocument `json:"differences"`
}

type differenceDocument struct {
	Integration string           `json:"integration"`
	Former      int              `json:"former"` // how many tokens came after it
	Works       bool             `json:"works"`
	Said        lifecycle.Status `json:"said"`
	Wrong       bool             `json:"wrong"` // with certainty
}

func (s *simulation) document(c comparison, stats mewstest.Stats, took time.Duration) simulationDocument {
	valid, invalid := c.wrong()
	d := simulationDocument{
		Seed: s.seed, Changes: stats.Changes, Messages: stats.Messages, Duplicates: stats.Duplicates, Lost: stats.Lost,
		Discarded: stats.Discarded, Answers: stats.Answers, Requests: stats.Requests, Took: milliseconds(took),
		Integrations: c.integrations, Works: c.works, Deleted: c.deleted, Tokens: c.tokens,
		Right: c.right, Unknown: c.undecided, WrongValid: valid, WrongInvalid: invalid, Differences: []differenceDocument{},
	}
	for _, one := range c.differences {
		d.Differences = append(d.Differences, differenceDocument{
			one.Integration.ID(), one.Former, one.Works, one.Said, one.Stance == mewstest.Wrong || one.Stance == mewstest.Denied,
		})
	}
	return d
}

// describeAnswers writes how often which status was answered.
func describeAnswers(answers map[int]int) string {
	if len(answers) == 0 {
		return "none"
	}
	var each []string
	for _, status := range slices.Sorted(maps.Keys(answers)) {
		what := fmt.Sprint(status)
		if status == 0 {
			what = "no answer"
		}
		each = append(each, fmt.Sprintf("%s: %d", what, answers[status]))
	}
	return strings.Join(each, ", ")
}
