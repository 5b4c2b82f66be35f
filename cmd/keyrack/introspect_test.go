package main

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestAppendIntrospection: what is written by hand is what encoding/json writes.
func TestAppendIntrospection(t *testing.T) {
	now := time.Unix(2e9, 0)
	for _, v := range []keyrack.Verdict{
		{},
		{
			Status: lifecycle.Valid, Reason: lifecycle.ReasonLive, State: lifecycle.Enabled, Assumed: true,
			Integration: "9e5e84e9-974d-4f16-9662-ab2200f27cb1", Enterprise: "a \"quoted\" \\ one\n\u00e9\u2028",
			Evidence: lifecycle.Basis{Kind: lifecycle.KindDelivery, Action: lifecycle.IntegrationCreated, At: 1_999_999_999_123_456},
		},
		{Status: lifecycle.Invalid, Integration: "\x7f", Evidence: lifecycle.Basis{Kind: lifecycle.KindProbe, At: 1}},
	} {
		i := introspectionOf(v, now)
		byHand := i.appendJSON(nil)
		reflected, err := json.Marshal(i)
		if err != nil {
			t.Fatal(err)
		}
		var got, want map[string]any
		if err := json.Unmarshal(byHand, &got); err != nil {
			t.Fatalf("%v: %s", err, byHand)
		}
		if err := json.Unmarshal(reflected, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
}
