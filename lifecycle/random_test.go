package lifecycle_test

import (
	"time"

	"pgregory.net/rapid"

	. "github.com/keyrack-dev/keyrack/lifecycle"
)

// source draws evidence at random: what a record may meet, with the times that
// matter to a horizon, and questions that are answered late.
type source struct {
	now   Instant
	asked []question // when a question could have been put
	// toggles and so on are how likely each is, by how often it stands here.
	mix []string
}

// question is what was known when one was put.
type question struct {
	at         Instant
	generation uint64
}

// anything is everything that can happen, webhooks most of all.
var everything = []string{
	"toggle", "toggle", "toggle", "toggle", "toggle", "toggle", "rotated", "rotated", "created",
	"probe", "probe", "own", "import", "deleted", "ask", "settle",
}

// webhooks are deliveries alone.
var webhooks = []string{"toggle", "toggle", "toggle", "toggle", "rotated", "created", "deleted"}

func newSource(mix []string) *source { return &source{now: start, mix: mix} }

// draw draws the next piece of evidence for a record.
func (s *source) draw(t *rapid.T, r *Record) Evidence {
	s.asked = append(s.asked, question{s.now, r.Generation})
	gap := rapid.SampledFrom([]int{0, 1, 10, 29, 30, 31, 200}).Draw(t, "minutes")
	s.now = s.now.Add(time.Duration(gap) * time.Minute)
	digest := token(rapid.IntRange(0, 4).Draw(t, "token"))
	switch rapid.SampledFrom(s.mix).Draw(t, "evidence") {
	case "created":
		return created(rapid.SampledFrom([]Flag{Unset, No, Yes}).Draw(t, "IsEnabled"), digest, s.now)
	case "rotated":
		return rotated(digest, s.now)
	case "deleted":
		return delivery(IntegrationDeleted, s.now)
	case "import":
		return imported(rapid.SampledFrom([]Flag{Unset, No, Yes}).Draw(t, "IsEnabled"), digest, s.now)
	case "settle":
		e := settled(rapid.SampledFrom([]Flag{Unset, No, Yes}).Draw(t, "IsEnabled"), rapid.SampledFrom([]Flag{Unset, No, Yes}).Draw(t, "IsCanceled"), s.now)
		if rapid.Bool().Draw(t, "names a token") {
			e.Token = digest
		}
		return e
	case "ask":
		return Evidence{Kind: KindProbeRequest, At: s.now, Horizon: horizon, Integration: Named{ID: integration}}
	case "probe":
		return s.answer(t, KindProbe, digest, []Answer{NoAnswer, Accepted, Accepted, Rejected, Rejected, Unattributed})
	case "own":
		return s.answer(t, KindReport, digest, []Answer{Accepted, Unattributed})
	}
	return delivery(rapid.SampledFrom([]Action{
		IntegrationEnabled, IntegrationDisabled, IntegrationCanceled, IntegrationReinstated,
	}).Draw(t, "action"), s.now)
}

// answer draws an answer to a question that was put now or a while ago.
func (s *source) answer(t *rapid.T, kind Kind, d Digest, answers []Answer) Evidence {
	ago := min(rapid.IntRange(0, 3).Draw(t, "ago"), len(s.asked)-1)
	asked := s.asked[len(s.asked)-1-ago]
	if ago == 0 {
		asked.at = s.now
	}
	e := Evidence{
		Kind: kind, At: s.now, Began: asked.at, Generation: asked.generation, Horizon: horizon, Token: d,
		Integration: Named{ID: integration}, Answer: rapid.SampledFrom(answers).Draw(t, "answer"),
	}
	enterprises := []string{hotel, hotel, hotel, "another"}
	if kind == KindReport {
		enterprises = []string{""}
		if rapid.Bool().Draw(t, "without generation") {
			e.Generation = 0
		}
	}
	if e.Answer == Accepted {
		e.Enterprise.ID = rapid.SampledFrom(enterprises).Draw(t, "enterprise")
	}
	return e
}
