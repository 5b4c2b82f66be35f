package events_test

import (
	"os"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/events"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// sample is what the specification's own body means.
func sample() events.Event {
	return events.Event{
		Action:      lifecycle.IntegrationCreated,
		Name:        "IntegrationCreated",
		Integration: lifecycle.Named{ID: "9e5e84e9-974d-4f16-9662-ab2200f27cb1", Name: "WebhookTEST"},
		Enterprise:  lifecycle.Named{ID: "8865aa96-f62d-4f9b-a912-ab2100f60f42", Name: "Sample Chain Hotel 1"},
		Service:     lifecycle.Named{ID: "9745ce3a-8dbb-4cc0-a550-55f9ff67b242", Name: "Accommodation"},
		AccessToken: lifecycle.NewToken("9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF"),
		CreatedUtc:  time.Date(2019, 12, 13, 14, 42, 52, 0, time.UTC),
		IsEnabled:   lifecycle.Yes,
	}
}

// BenchmarkDecode races the specification's own body, every check included,
// against encoding/json into a struct of the same shape, without any.
func BenchmarkDecode(b *testing.B) {
	for _, racer := range []struct {
		name   string
		decode func([]byte) (events.Event, error)
	}{
		{"keyrack", events.Decode},
		{"encoding-json", peerDecode},
	} {
		b.Run(racer.name, func(b *testing.B) {
			body := spec(b)
			want := sample()
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				got, err := racer.decode(body)
				if err != nil || !got.Equal(want) {
					b.Fatalf("decoded as %v, %v", got, err)
				}
			}
		})
	}
}

// spec returns the body in the specification.
func spec(tb testing.TB) []byte {
	tb.Helper()
	body, err := os.ReadFile("testdata/bodies/created.json")
	if err != nil {
		tb.Fatal(err)
	}
	return body
}
