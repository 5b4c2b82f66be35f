package events_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// TestRoundTrip: an event that Append writes is the event that Decode reads.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anEvent().Draw(t, "event")
		body, err := want.Append([]byte("before"))
		if err != nil {
			t.Fatal(err)
		}
		body, ok := bytes.CutPrefix(body, []byte("before"))
		if !ok || !json.Valid(body) {
			t.Fatalf("not JSON, or not appended: %s", body)
		}
		got, err := events.Decode(body)
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("changed on the way (-want +got):\n%s", diff)
		}
	})
}

// TestOrderDoesNotMatter: an event is the same in whatever order the members
// come, however they are spaced, and whatever unknown ones are among them.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := anEvent().Draw(t, "event")
		body, err := events.Encode(want)
		if err != nil {
			t.Fatal(err)
		}
		body = shuffled(t, body)
		got, err := events.Decode(body)
		if err != nil {
			t.Fatalf("%v in %s", err, body)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("another event in %s (-want +got):\n%s", body, diff)
		}
	})
}

// shuffled writes JSON anew: members in another order, white space, escapes,
// and unknown members.
func shuffled(t *rapid.T, value []byte) []byte {
	space := rapid.SampledFrom([]string{"", " ", "\n\t", "\r\n  "})
	var members map[string]json.RawMessage
	if json.Unmarshal(value, &members) != nil || members == nil {
		return value
	}
	var all []string
	for _, name := range rapid.Permutation(sortedKeys(members)).Draw(t, "order") {
		quoted, _ := json.Marshal(name)
		if rapid.Bool().Draw(t, "escaped") {
			quoted = fmt.Appendf(nil, `"\u%04x%s"`, name[0], name[1:])
		}
		if rapid.IntRange(0, 3).Draw(t, "stranger") == 0 {
			all = append(all, fmt.Sprintf(`"new %d":%s`, len(all), rapid.SampledFrom([]string{
				"null", "-1.5e3", `"AccessToken"`, `{"Id":"x"}`, `[{"Integration":{"Id":[]}},[]]`,
			}).Draw(t, "value")))
		}
		all = append(all, space.Draw(t, "space")+string(quoted)+space.Draw(t, "space")+":"+
			space.Draw(t, "space")+string(shuffled(t, members[name]))+space.Draw(t, "space"))
	}
	return []byte("{" + strings.Join(all, ",") + "}")
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// anEvent generates what Decode can return, except for unknown actions.
func anEvent() *rapid.Generator[events.Event] {
	return rapid.Custom(func(t *rapid.T) (e events.Event) {
		if rapid.IntRange(0, 7).Draw(t, "general") == 0 {
			general := aGeneral().Draw(t, "webhook")
			return events.Event{General: &general}
		}
		e.Action = rapid.SampledFrom(lifecycle.Actions()).Draw(t, "action")
		e.Name = e.Action.String()
		e.Integration = named(1).Draw(t, "integration")
		switch e.Action {
		case lifecycle.IntegrationCreated:
			e.Enterprise = named(0).Draw(t, "enterprise")
			e.Service = named(0).Draw(t, "service")
			e.Requestor = events.NewRequestor(rapid.String().Draw(t, "name"), rapid.String().Draw(t, "email"))
			e.AccessToken = aToken().Draw(t, "token")
			e.CreatedUtc = aTime().Draw(t, "created")
			e.IsEnabled = rapid.SampledFrom([]lifecycle.Flag{lifecycle.Unset, lifecycle.No, lifecycle.Yes}).Draw(t, "enabled")
		case lifecycle.IntegrationDeleted:
			e.DeletedUtc = aTime().Draw(t, "deleted")
		case lifecycle.IntegrationApiKeyCreated:
			e.ApiKey = aToken().Draw(t, "key")
		}
		return e
	})
}

func aGeneral() *rapid.Generator[events.General] {
	return rapid.Custom(func(t *rapid.T) events.General {
		return events.General{
			EnterpriseID:  rapid.String().Draw(t, "enterprise"),
			IntegrationID: rapid.String().Draw(t, "integration"),
			Events:        rapid.SliceOf(rapid.Make[events.GeneralEvent]()).Draw(t, "events"),
		}
	})
}

func named(least int) *rapid.Generator[lifecycle.Named] {
	return rapid.Custom(func(t *rapid.T) lifecycle.Named {
		return lifecycle.Named{
			ID:   rapid.StringOfN(rapid.RuneFrom([]rune(`09af-{}":\/ é旅🏨`)), least, -1, 128).Draw(t, "id"),
			Name: rapid.String().Draw(t, "name"),
		}
	})
}

func aToken() *rapid.Generator[lifecycle.Token] {
	return rapid.Map(rapid.StringN(1, -1, 1024), lifecycle.NewToken)
}

// aTime generates times in UTC in the years 0 to 9999, the zero time often.
func aTime() *rapid.Generator[time.Time] {
	return rapid.Custom(func(t *rapid.T) time.Time {
		if rapid.Bool().Draw(t, "missing") {
			return time.Time{}
		}
		first := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		end := time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()
		return time.Unix(rapid.Int64Range(first, end-1).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns")).UTC()
	})
}
