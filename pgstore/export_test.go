package pgstore

import (
	"context"
	"time"
)

// Failure returns what becomes of an error of the driver.
func Failure(ctx context.Context, err error) error { return failure(ctx, err) }

// SequenceAtOnce is how many entries get their positions in one statement.
const SequenceAtOnce = sequenceAtOnce

// CommitStatement returns what Commit sends for a change of an integration that is
// there, with a body and one claim if asked for, and the statements of the same in
// steps.
func (s *Store) CommitStatement(claims bool) (whole string, steps [4]string) {
	return s.in(commitStatements[shape{hasBody: true, claims: claims}]),
		[4]string{s.in(stepMove), s.in(stepEntry), s.in(stepBody), s.in(stepClaim)}
}

// Poll returns what one look at the journal sends where nothing is new.
func (s *Store) Poll() string { return s.in(journalPage) }

// HearWithin sets how long a store waits for what it sends to itself. Call it before News.
func (s *Store) HearWithin(d time.Duration) { s.hearWithin = d }
