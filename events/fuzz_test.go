package events_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

func FuzzDecode(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		e, err := events.Decode(body)
		checkStripped(t, body, e, err)
		if err != nil {
			checkError(t, body, e, err)
			return
		}
		if !json.Valid(bytes.TrimPrefix(body, []byte("\ufeff"))) {
			t.Fatal("decoded, though encoding/json calls it invalid")
		}
		checkIdentifiers(t, e)
		again, err := events.Encode(e)
		if err != nil {
			t.Fatalf("decoded, but does not encode: %v", err)
		}
		got, err := events.Decode(again)
		if err != nil || !got.Equal(e) {
			t.Fatalf("round trip of %v: %v", e, err)
		}
		if e.Action == lifecycle.ActionUnknown {
			return
		}
		// Where a body is accepted, the checks have left nothing to be misread, except for
		// what is said to be unread, an optional Service in the wrong case, and what
		// stands beside Data, where encoding/json does not look.
		if second, err := peerDecode(body); err == nil && e.Unread == "" {
			second.Service = e.Service
			fillFrom(&second, &e)
			if diff := cmp.Diff(second, e); diff != "" {
				t.Fatalf("encoding/json reads another event (-theirs +ours):\n%s", diff)
			}
		}
	})
}

// fillFrom fills in what is missing.
func fillFrom(second, e *events.Event) {
	if second.Enterprise == (lifecycle.Named{}) {
		second.Enterprise = e.Enterprise
	}
	if second.Integration == (lifecycle.Named{}) {
		second.Integration = e.Integration
	}
	if second.Requestor.IsZero() {
		second.Requestor = e.Requestor
	}
	if second.AccessToken.IsZero() {
		second.AccessToken = e.AccessToken
	}
	if second.ApiKey.IsZero() {
		second.ApiKey = e.ApiKey
	}
	if second.CreatedUtc.IsZero() {
		second.CreatedUtc = e.CreatedUtc
	}
	if second.DeletedUtc.IsZero() {
		second.DeletedUtc = e.DeletedUtc
	}
	if second.IsEnabled == lifecycle.Unset {
		second.IsEnabled = e.IsEnabled
	}
}

// checkIdentifiers checks that every identifier is in its one spelling.
func checkIdentifiers(t *testing.T, e events.Event) {
	t.Helper()
	ids := []string{e.Integration.ID, e.Enterprise.ID, e.Service.ID}
	if e.General != nil {
		ids = append(ids, e.General.IntegrationID, e.General.EnterpriseID)
	}
	for _, id := range ids {
		if one := lifecycle.CanonicalID(id); one != id {
			t.Fatalf("the identifier %q should be %q", id, one)
		}
	}
}

// checkError checks that an error says one of two things, leaves no event
// behind, and is built of nothing but what we have written ourselves.
func checkError(t *testing.T, body []byte, e events.Event, err error) {
	t.Helper()
	if !cmp.Equal(e, events.Event{}) {
		t.Fatal("half an event beside an error")
	}
	fault, ok := errors.AsType[*events.Error](err)
	if !ok || errors.Is(err, events.ErrSyntax) == errors.Is(err, events.ErrShape) {
		t.Fatalf("neither one thing nor the other: %#v", err)
	}
	if errors.Is(err, events.ErrShape) && !json.Valid(bytes.TrimPrefix(body, []byte("\ufeff"))) {
		t.Fatal("has a shape, though encoding/json calls it invalid")
	}
	checkPartial(t, fault)
	checkText(t, body, fault)
}

// checkPartial checks that what could be read of a body never passes for an event.
func checkPartial(t *testing.T, fault *events.Error) {
	t.Helper()
	part := fault.Partial()
	checkIdentifiers(t, part)
	if errors.Is(fault, events.ErrSyntax) {
		if !cmp.Equal(part, events.Event{}) || part.Unread != "" {
			t.Fatal("something was read of what is not JSON")
		}
		return
	}
	if _, err := events.Encode(part); !errors.Is(err, events.ErrShape) {
		t.Fatalf("part of an event passes for a whole one: %v", err)
	}
	if part.Integration.ID != "" && !part.Token().IsZero() {
		t.Fatal("a token without its event, under an integration")
	}
}

// checkText proves that not a byte of the body is quoted: the text is a
// function of a closed set of reasons, a closed set of places, and one number.
func checkText(t *testing.T, body []byte, err *events.Error) {
	t.Helper()
	if !events.Reasons[err.Reason] {
		t.Fatalf("the reason is none of ours: %q", err.Reason)
	}
	known := strings.TrimSuffix(err.Place, "/*")
	if known != "" && !events.Places[known] {
		t.Fatalf("the place is none of the specification's: %q", err.Place)
	}
	if err.Offset < 0 || err.Offset > int64(len(body)) {
		t.Fatalf("offset %d of %d", err.Offset, len(body))
	}
	place := err.Place
	if place == "" {
		place = "the top"
	}
	if want := fmt.Sprintf("%v: %s at %s, offset %d", errors.Unwrap(err), err.Reason, place, err.Offset); err.Error() != want {
		t.Fatalf("the text is %q, want %q", err, want)
	}
}

// checkStripped checks WithoutRequestor against what Decode said about the body.
func checkStripped(t *testing.T, body []byte, e events.Event, decodeErr error) {
	t.Helper()
	stripped, err := events.WithoutRequestor(body)
	if err != nil {
		fault, ok := errors.AsType[*events.Error](err)
		if !ok || !errors.Is(err, events.ErrSyntax) || !errors.Is(decodeErr, events.ErrSyntax) || stripped != nil {
			t.Fatalf("stripped: %v, decoded: %v", err, decodeErr)
		}
		checkText(t, body, fault)
		return
	}
	if twice, err := events.WithoutRequestor(stripped); err != nil || !bytes.Equal(twice, stripped) {
		t.Fatalf("stripping twice differs: %v", err)
	}
	if decodeErr != nil {
		return
	}
	got, err := events.Decode(stripped)
	if err != nil {
		t.Fatalf("stripped, and does not decode: %v", err)
	}
	e.Requestor = events.Requestor{}
	if e.Raw = got.Raw; !got.Equal(e) {
		t.Fatal("stripping changed more than the requestor")
	}
}
