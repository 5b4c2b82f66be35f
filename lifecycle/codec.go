package lifecycle

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	jsonv1 "github.com/go-json-experiment/json/v1"
)

// format is the version of the encodings. A later one is refused as ErrNewer, so
// that what it says more is not lost on the way back. An earlier one is read and
// brought up to date:
//
//  1. had one time for all facts, and no proofs.
//  2. is written now.
const format = 2

type recordFile struct {
	Format int
	Record
}

type evidenceFile struct {
	Format int
	Evidence
}

// ParseRecord reads what AppendRecord wrote. What a later version wrote is ErrNewer.
func ParseRecord(b []byte) (Record, error) {
	var f recordFile
	if err := parse(b, &f, &f.Format, "record"); err != nil {
		return Record{}, err
	}
	if f.Format == 1 {
		f.Record.addTimes()
	}
	return f.Record, nil
}

// ParseEvidence reads what AppendEvidence wrote. What a later version wrote is ErrNewer.
func ParseEvidence(b []byte) (Evidence, error) {
	var f evidenceFile
	if err := parse(b, &f, &f.Format, "evidence"); err != nil {
		return Evidence{}, err
	}
	return f.Evidence, nil
}

// ParseDecision reads what AppendDecision wrote. What a later version wrote is ErrNewer.
func ParseDecision(b []byte) (Decision, error) {
	var d Decision
	version := format
	if err := parse(b, &d, &version, "decision"); err != nil {
		return Decision{}, err
	}
	return d, nil
}

// addTimes works out what format 1 did not have: the time of the latest evidence of
// each fact. Where it does not tell, the fact is as old as the token.
func (r *Record) addTimes() {
	if r.State == Deleted {
		return
	}
	for i := range r.Keys {
		k := &r.Keys[i]
		k.At = max(k.Since, k.Accepted)
		if r.Basis.Kind == KindProbe && r.Basis.At == k.Accepted {
			k.Proved, k.Probed = k.Accepted, k.Generation
		}
		r.CanceledAt = firstOf(r.CanceledAt, k.At)
	}
	course := &r.Course
	if len(r.Parked) == 2 {
		course = &r.Parked[1]
	}
	r.EnabledAt = max(course.Enabled.latest(), course.Enabled.Since)
	r.CanceledAt = firstOf(course.Canceled.latest(), r.CanceledAt)
}

var errEncoding = errors.New("not in the form in which keyrack writes it")

func parse(b []byte, into any, version *int, what string) error {
	err := json.Unmarshal(b, into, jsonv1.FormatDurationAsNano(true))
	switch {
	case errors.Is(err, ErrNewer), *version > format:
		return fmt.Errorf("lifecycle: %s: %w", what, ErrNewer)
	case err != nil || *version < 1:
		return fmt.Errorf("lifecycle: %s: %w", what, errEncoding)
	}
	return nil
}
