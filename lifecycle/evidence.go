package lifecycle

import "time"

// Kind says where a piece of evidence comes from. The zero
// value is "unknown", which no evidence has.
type Kind uint8

const (
	_ Kind = iota
	// KindDelivery: a webhook of Mews's.
	KindDelivery
	// KindProbe: the Connector API's answer to a question that Keyrack asked.
	KindProbe
	// KindApplication: an answer that the application saw on a call of its own.
	KindApplication
	// KindImport: said by hand, by whoever operates the application.
	KindImport
	// KindContest: another integration came with a token of this one's.
	KindContest
	// KindErase: what persons are named in, the bodies of earlier deliveries, was
	// erased by hand. The record is not concerned.
	KindErase
	// KindForget: everything known of the integration was erased by hand. What
	// comes next meets an integration that was never heard of.
	KindForget
	// KindRestore: the record came, as it was, from a copy of another store. Of its
	// history there is nothing here; the journal folds on from the record.
	KindRestore
	// KindAsk: somebody wants to know. The Connector API is asked anew.
	KindAsk
	// KindHandOut: the current token was handed to somebody.
	KindHandOut
	// KindUpgrade: the record was folded by earlier rules. From here on it is what
	// Evidence.Record says, so that its journal can be folded by the rules of now.
	KindUpgrade
	numKinds
)

// Answer is what the Connector API's answer to a call says about the token in
// it. The zero value is NoAnswer: it says nothing.
type Answer uint8

const (
	// NoAnswer: 408, 429, 403, 404, 5xx, a time-out, no connection; no evidence.
	NoAnswer Answer = iota
	// Accepted: 200; the token worked when the request began.
	Accepted
	// Rejected: 401 that is known to be about this token.
	Rejected
	// Unattributed: 401 that may as well be about the ClientToken or a permission.
	Unattributed
	// RejectedOnce: 401 that is known to be about this token, for the first time. A
	// single node of the Connector API may be wrong, so a second one settles it.
	RejectedOnce
	// Expected: 401 for a token that was known to be invalid already. It leaves the
	// reason as it is.
	Expected
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

// Named is something that Mews identifies by a GUID and calls by a name.
// Neither is personal data.
type Named struct {
	ID   string `json:",omitzero"`
	Name string `json:",omitzero"`
}

// Evidence is one thing that was learned about one integration. It holds no
// secret (tokens appear as digests) and no personal data, and together with the
// record before it, it determines the record after it: journals consist of it.
//
// Which fields mean something depends on Kind; the others are zero.
type Evidence struct {
	Kind Kind `json:",omitzero"`
	// At is when the evidence reached the application, by its own clock. For a
	// delivery that is not when the event happened: minutes can lie between.
	At Instant `json:",omitzero"`
	// Horizon is the time within which Mews delivers whatever it will deliver,
	// repetitions included. It is part of the evidence, so that a journal means
	// the same after the setting was changed. 0 means DefaultHorizon.
	Horizon time.Duration `json:"HorizonNs,omitzero"`

	// Of a delivery, and partly of an import.
	Action      Action  `json:",omitzero"`
	Integration Named   `json:",omitzero"` // the name may be missing, the id never
	Enterprise  Named   `json:",omitzero"` // IntegrationCreated, a probe's 200, an import
	Service     Named   `json:",omitzero"` // IntegrationCreated, a probe's 200
	Token       Digest  `json:",omitzero"` // the token that the evidence carries or is about
	CreatedUtc  Instant `json:",omitzero"` // IntegrationCreated
	DeletedUtc  Instant `json:",omitzero"` // IntegrationDeleted
	IsEnabled   Flag    `json:",omitzero"` // IntegrationCreated, an import
	// Owner is the integration that owns Token already, where it is another one.
	Owner string `json:",omitzero"`
	// By is who asked for what is done by hand: the name of an API key, say, and
	// never a person's.
	By string `json:",omitzero"`

	// Of a probe, and of the application's own calls.
	Answer Answer  `json:",omitzero"`
	Began  Instant `json:",omitzero"` // when the request began
	// Generation is the record's, as read before the request began. 0 in an
	// application's own answer leaves the fencing to Began.
	Generation uint64 `json:",omitzero"`
	// Portfolio says that the token covers several enterprises, and that whoever
	// asked could not find out whether the integration's is one of them: then the
	// one in the answer need not be the integration's.
	Portfolio bool `json:",omitzero"`

	// Record is the record of a KindUpgrade, as AppendRecord writes it.
	Record string `json:",omitzero"`
}

// DefaultHorizon is the horizon where none is given: above the time over which
// Mews is known to repeat a failed delivery.
const DefaultHorizon = 30 * time.Minute

func (e *Evidence) horizon() time.Duration {
	if e.Horizon > 0 {
		return e.Horizon
	}
	return DefaultHorizon
}
