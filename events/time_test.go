package events_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/events"
)

const deletedFormat = `{"Action":"IntegrationDeleted","Data":{"DeletedUtc":%q,"Integration":{"Id":"i"}}}`

// TestTimes compares representations, not instants alone: times are in UTC.
func TestTimes(t *testing.T) {
	for sent, want := range map[string]time.Time{
		"2020-02-01T01:59:59.1234567+02:00":   time.Date(2020, 1, 31, 23, 59, 59, 123456700, time.UTC),
		"2020-01-31T23:59:59.123456789":       time.Date(2020, 1, 31, 23, 59, 59, 123456789, time.UTC),
		"9999-12-31T23:59:59.9999999Z":        time.Date(9999, 12, 31, 23, 59, 59, 999999900, time.UTC),
		"1970-01-01T00:00:00Z":                time.Unix(0, 0).UTC(),
		"2024-02-29T23:59:59Z":                time.Date(2024, 2, 29, 23, 59, 59, 0, time.UTC),
		"0001-01-01T00:00:00Z":                {}, // DateTime.MinValue is Go's zero time
		"2026-05-01 10:00:00Z":                time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01 10:00:00":                 time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01t10:00z":                   time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01":                          time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC),
		"2026-05-01T12:00:00+0200":            time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01T12:00:00+02":              time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01T04:30:00-0530":            time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01T10:00:00,5Z":              time.Date(2026, 5, 1, 10, 0, 0, 500000000, time.UTC),
		"2026-05-01T10:00:00.00000000000019Z": time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"2026-05-01T10:00:00.1234567890123Z":  time.Date(2026, 5, 1, 10, 0, 0, 123456789, time.UTC),
		"/Date(1777629600000)/":               time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"/Date(1777629600000+0200)/":          time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC),
		"/Date(-1)/":                          time.Date(1969, 12, 31, 23, 59, 59, 999000000, time.UTC),
		"/Date(0-0100)/":                      time.Unix(0, 0).UTC(),
		"2024-02-29":                          time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC),
	} {
		e, err := events.Decode(fmt.Appendf(nil, deletedFormat, sent))
		if err != nil || e.DeletedUtc != want || e.Unread != "" {
			t.Errorf("%s is %v, %v, unread %q; want %v", sent, e.DeletedUtc, err, e.Unread, want)
		}
	}
}

// TestTimesThatAreNone: a text that is not a time counts as missing, and the event stands.
func TestTimesThatAreNone(t *testing.T) {
	for _, sent := range []string{
		"", " ", "soon", "2026", "2026-05", "2026-5-1", "2026-05-01T", "2026-05-01T10", "2026-05-01T1:00:00Z", "2026-05-01T24:00:00Z",
		"2026-05-01T10:00:60Z", "2026-02-29T10:00:00Z", "2026-05-01T10:60:00Z", "2026-13-01", "2026-00-01", "2026-01-00", "2026-02-29", "2026-04-31", "2026-01-32",
		"2026-05-01T10:00:00.Z", "2026-05-01T10:00:00ZZ", "2026-05-01T10:00:00+2", "2026-05-01T10:00:00+02:0", "2026-05-01T10:00:00+24:00",
		"2026-05-01T10:00:00 Z", "2026-05-01  10:00:00", "05/01/2026", "/Date()/", "/Date(1)", "/Date(1/", "/Date(x)/", "/Date(1+01)/",
		"/Date(9223372036854775807)/", "/Date(99999999999999999999)/", "0000-01-01T00:00:00+01:00", "9999-12-31T23:59:59-01:00",
	} {
		e, err := events.Decode(fmt.Appendf(nil, deletedFormat, sent))
		if err != nil || !e.DeletedUtc.IsZero() || e.Unread != "DeletedUtc" {
			t.Errorf("%q is %v, %v, unread %q", sent, e.DeletedUtc, err, e.Unread)
		}
	}
}

// TestTimesAsPackageTimeReadsThem: a time in RFC 3339 is read as package time reads it.
func TestTimesAsPackageTimeReadsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := time.FixedZone("", 60*rapid.IntRange(-23*60, 23*60).Draw(t, "minutes"))
		want := time.Unix(rapid.Int64Range(-60_000_000_000, 250_000_000_000).Draw(t, "s"), rapid.Int64Range(0, 999_999_999).Draw(t, "ns"))
		sent := want.In(zone).Format(time.RFC3339Nano)
		e, err := events.Decode(fmt.Appendf(nil, deletedFormat, sent))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want.UTC(), e.DeletedUtc); diff != "" {
			t.Errorf("%s (-want +got):\n%s", sent, diff)
		}
	})
}
