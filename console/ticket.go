package console

import (
	"encoding/base64"
	"maps"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// ticket is an act as it goes through the form that confirms it: all that was shown, so that
// what is done is what was shown. A token in it is sealed, with a key that this handler alone
// has and that ends with it. The rest is the visitor's own words, which the act checks as if
// they came from anywhere.
type ticket struct {
	Do      Act
	Entry   store.EntryID // which the act becomes: one that is sent again counts once
	Version uint64        `json:",omitzero"` // of the record that was shown

	Integration string `json:",omitzero"`
	Nameless    string `json:",omitzero"` // of ActName: the id of ours

	// Of ActSettle.
	Enabled    lifecycle.Flag   `json:",omitzero"`
	Canceled   lifecycle.Flag   `json:",omitzero"`
	Current    lifecycle.Digest `json:",omitzero"`
	AnsweredBy string           `json:",omitzero"`
	// Of ActImport.
	Name       string          `json:",omitzero"`
	Enterprise lifecycle.Named `json:",omitzero"`
	Service    lifecycle.Named `json:",omitzero"`
	Disabled   bool            `json:",omitzero"`
	Token      []byte          `json:",omitzero"` // sealed
	// Of ActLabel: what is set, and the keys of what is removed, separated by commas.
	Labels  lifecycle.Labels `json:",omitzero"`
	Unlabel string           `json:",omitzero"`
	// Of a subscription.
	Subscription string         `json:",omitzero"`
	Letter       store.Position `json:",omitzero"` // 0 for all of its dead letters
}

func newTicket(do Act, now time.Time) ticket { return ticket{Do: do, Entry: store.NewEntryID(now)} }

// String returns the ticket as a form carries it.
func (t *ticket) String() string {
	text, err := json.Marshal(t)
	if err != nil {
		return "" // not UTF-8: nothing that this page has shown
	}
	return base64.RawURLEncoding.EncodeToString(text)
}

func parseTicket(text string) (t ticket, ok bool) {
	plain, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || json.Unmarshal(plain, &t) != nil || t.Entry.IsZero() {
		return ticket{}, false
	}
	_, ok = acts[t.Do]
	return t, ok
}

// seal puts a token into the ticket.
func (h *Handler) seal(t *ticket, token keyrack.Token) (err error) {
	t.Token, err = h.sealer.Seal([]byte(token.Reveal()), t.Entry.String())
	return err
}

// deed returns the act that a ticket stands for, without who wants it and why. It returns
// false where the token was sealed by another handler, or before this one was made.
func (h *Handler) deed(t *ticket) (keyrack.Act, bool) {
	a := keyrack.Act{Kind: acts[t.Do].kind, Integration: t.Integration, ID: t.Entry, Version: t.Version}
	switch t.Do {
	case ActName:
		a.Nameless = t.Nameless
	case ActSettle:
		a.Settlement = keyrack.Settlement{Enabled: t.Enabled, Canceled: t.Canceled, Current: t.Current, AnsweredBy: t.AnsweredBy}
	case ActImport:
		token, err := h.sealer.Open(t.Token, t.Entry.String())
		if err != nil {
			return keyrack.Act{}, false
		}
		a.Import = keyrack.Import{
			Integration: lifecycle.Named{ID: t.Integration, Name: t.Name}, Enterprise: t.Enterprise, Service: t.Service,
			Token: keyrack.NewToken(string(token)), Disabled: t.Disabled,
		}
	case ActLabel:
		a.Labels, a.Unlabel = maps.Collect(t.Labels.All()), strings.FieldsFunc(t.Unlabel, isComma)
	case ActPause, ActResume, ActRetry, ActDiscard:
		a.Do, a.Subscription, a.Letter = string(t.Do), t.Subscription, t.Letter
	}
	return a, true
}
