package lifecycle

import "time"

// Kind says where a piece of evidence comes from. The zero
// value is "unknown", which no evidence has.
type Kind uint8

const (
	_ Kind = iota
	// KindDelivery: a webhook from Mews.
	KindDelivery
	// KindProbe: the Connector API's answer to a probe.
	KindProbe
	// KindReport: the application reported the answer to a call of its own.
	KindReport
	// KindImport: entered by an operator of the application.
	KindImport
	// KindContest: another integration was announced with this one's token.
	KindContest
	// KindErase: the bodies of earlier deliveries, which name persons, were erased by
	// hand. The record does not change.
	KindErase
	// KindForget: everything known about the integration was erased by hand. Later
	// evidence meets an unknown integration.
	KindForget
	// KindRestore: the record was copied from another store, without its history. The
	// journal folds on from the record.
	KindRestore
	// KindProbeRequest: a probe was requested by hand.
	KindProbeRequest
	// KindIssue: the current token was issued to somebody outside of the process.
	KindIssue
	// KindUpgrade: earlier rules folded the record. From here on it is Evidence.Record,
	// so that the current rules can fold the journal on.
	KindUpgrade
	// KindJoin: the integration was known under several spellings of its id. Under the one
	// that stays the record is Evidence.Record from here on. Under another nothing is left,
	// and Evidence.Owner is the one that stays.
	KindJoin
	// KindSettle: a person said how things are.
	KindSettle
	// KindControl: a person paused or resumed a subscription, or saw to its dead letters. It
	// belongs to no integration, and no record takes it in.
	KindControl
	// KindLabel: labels were set or removed.
	KindLabel
	// KindName: a nameless integration, known under an id of ours, turned out to be another.
	// Under the id of ours nothing is left, and Evidence.Owner is the other. Under the other's
	// id Evidence.Record is what was known; a delivery or an import that brings the token says
	// it as well.
	KindName
	// KindTime: time alone made another verdict of the record, or ended the grace of Token.
	// It is no evidence of anything: the record keeps that it was told.
	KindTime
	// KindFork: the store went back. Evidence.Record is what an instance knew of the
	// integration beyond what the store has; it is empty if nobody knows what was lost, as
	// after a backup was put back.
	KindFork
	// KindSucceeded: the hotel came back. This integration took the place of another one of
	// its enterprise and service, Evidence.Succeeds, which was deleted or canceled before.
	KindSucceeded
	numKinds
)

// Answer is what a response of the Connector API says about the token in the request.
// The zero value is NoAnswer: nothing.
type Answer uint8

const (
	// NoAnswer: 403, 404, 408, 429, 5xx, a time-out or no connection; it is no evidence.
	NoAnswer Answer = iota
	// Accepted: 200; the token worked when the request began.
	Accepted
	// Rejected: 401 that is known to be about this token. An application's own counts for
	// two hours.
	Rejected
	// Unattributed: 401 that may be about the token, the ClientToken or a permission.
	Unattributed
	// RejectedOnce: 401 that is known to be about this token, for the first time. A
	// single node of the Connector API may be wrong, so a second one settles it.
	RejectedOnce
	// Expected: 401 for a token that was already known to be invalid. It does not
	// change the reason.
	Expected
	// Withdrawn: 401s about this token are attributed to the ClientToken or to Mews. What they
	// said is taken back, and the verdict is what it was before.
	Withdrawn
	numAnswers
)

// Flag is a boolean that may be missing. The zero value is Unset.
type Flag uint8

const (
	Unset Flag = iota
	No
	Yes
	numFlags
)

// FlagOf returns Yes for true and No for false.
func FlagOf(b bool) Flag {
	if b {
		return Yes
	}
	return No
}

// Named is one of Mews's GUIDs with its name. Neither is personal data.
type Named struct {
	ID   string `json:",omitzero"`
	Name string `json:",omitzero"`
}

// Evidence is one thing that was learned about one integration. It holds no secret,
// since tokens appear as digests, and no personal data. Together with the record before
// it, it determines the record after it, so a journal is a list of evidence.
//
// Kind decides which fields are used; the others are zero.
type Evidence struct {
	Kind Kind `json:",omitzero"`
	// At is when the evidence reached the application, by its own clock. The event
	// behind a delivery may have happened minutes earlier.
	At Instant `json:",omitzero"`
	// Horizon is the time within which Mews delivers an event, repetitions included.
	// It is part of the evidence, so changing the setting does not change what a
	// journal means. 0 means defaultHorizon.
	Horizon time.Duration `json:"HorizonNs,omitzero"`

	// Of a delivery, and partly of an import.
	Action      Action  `json:",omitzero"`
	Integration Named   `json:",omitzero"` // the name may be missing, the id never
	Enterprise  Named   `json:",omitzero"` // IntegrationCreated, a probe's 200, an import
	Service     Named   `json:",omitzero"` // IntegrationCreated, a probe's 200
	Token       Digest  `json:",omitzero"` // the token that the evidence carries or is about
	CreatedUtc  Instant `json:",omitzero"` // IntegrationCreated
	DeletedUtc  Instant `json:",omitzero"` // IntegrationDeleted
	IsEnabled   Flag    `json:",omitzero"` // IntegrationCreated, an import, a person's word
	IsCanceled  Flag    `json:",omitzero"` // a person's word
	// AnsweredBy is the enterprise that answers for the integration's, by a person's word.
	AnsweredBy string `json:",omitzero"`
	// Unread names the properties of a delivery that could not be read and count as
	// missing, separated by blanks. An essential one that was missing is among them.
	Unread string `json:",omitzero"`
	// Labels are what a KindLabel, an import or a KindSucceeded sets, and Unlabel the keys of those that a
	// KindLabel removes before, separated by commas.
	Labels  Labels `json:",omitzero"`
	Unlabel string `json:",omitzero"`
	// Succeeds is the integration whose place this one took.
	Succeeds string `json:",omitzero"`
	// Owner is the integration that already owns Token, if it is another one.
	Owner string `json:",omitzero"`
	// By names who did something by hand, such as the name of an API key, and never
	// a person.
	By string `json:",omitzero"`

	// Of a probe, and of the application's own calls.
	Answer Answer  `json:",omitzero"`
	Began  Instant `json:",omitzero"` // when the request began
	// Generation is the record's, read before the request began. If it is 0 in an
	// application's own answer, Began alone decides whether the answer is fenced.
	Generation uint64 `json:",omitzero"`
	// Portfolio: the token covers several enterprises, and it is unknown whether the
	// integration's is one of them. The enterprise in the answer may be another one.
	Portfolio bool `json:",omitzero"`
	// Operation is which operation of the Connector API the application called, such as
	// "reservations/getAll"; empty if that is not known. Of a KindControl it is what was done
	// to which subscription, such as "pause billing".
	Operation string `json:",omitzero"`

	// Record is a record as AppendRecord writes it: that of a KindUpgrade, a KindJoin or a KindFork, or
	// that of the nameless integration which turned out to be this one.
	Record string `json:",omitzero"`

	// Status and Reason are the verdict on the current token that a KindTime tells of.
	Status Status `json:",omitzero"`
	Reason Reason `json:",omitzero"`
}

// defaultHorizon is the horizon of evidence that has none: longer than Mews is known
// to repeat a failed delivery.
const defaultHorizon = 30 * time.Minute

func (e *Evidence) horizon() time.Duration {
	if e.Horizon > 0 {
		return e.Horizon
	}
	return defaultHorizon
}

// lacksToken reports whether the delivery was to bring a token, and it could not be read.
func (e *Evidence) lacksToken() bool {
	brings := e.Action == IntegrationCreated || e.Action == IntegrationApiKeyCreated
	return brings && e.Token.isZero() && e.Unread != ""
}
