package lifecycle

import (
	"fmt"
	"time"
)

// Instant is a point in time: microseconds since the Unix epoch, in UTC. The zero value
// is "never". An Instant is comparable, takes 8 bytes, and covers every year of RFC
// 3339, including the year 1 of .NET's default date.
type Instant int64

// RFC 3339 has years of four digits. A time that is moved to UTC can lie outside them.
const (
	earliest Instant = -62167219200000000 // 0000-01-01T00:00:00Z
	latest   Instant = 253402300799999999 // 9999-12-31T23:59:59.999999Z
)

// At returns the instant of a time, rounded down to the microsecond, and the zero
// Instant for the zero time. Times outside the years 0 to 9999 are moved to the edge.
func At(t time.Time) Instant {
	switch {
	case t.IsZero():
		return 0
	case t.Before(earliest.Time()):
		return earliest
	case t.After(latest.Time()):
		return latest
	}
	return Instant(t.UnixMicro())
}

// Time returns the instant as a time in UTC, or the zero time for "never".
func (i Instant) Time() time.Time {
	if i == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(i)).UTC()
}

// Sub returns the time from j to i, at most 292 years either way.
func (i Instant) Sub(j Instant) time.Duration {
	const most = Instant(1<<63-1) / 1000
	return time.Duration(min(max(i.bound()-j.bound(), -most), most)) * time.Microsecond
}

// add returns the instant that lies d later.
func (i Instant) add(d time.Duration) Instant {
	return (i.bound() + Instant(d.Microseconds())).bound()
}

// bound moves an instant outside the years 0 to 9999 to the edge.
func (i Instant) bound() Instant { return min(max(i, earliest), latest) }

// String returns the instant in RFC 3339, or "never".
func (i Instant) String() string {
	if i == 0 {
		return "never"
	}
	return string(i.append(nil))
}

func (i Instant) append(b []byte) []byte { return i.bound().Time().AppendFormat(b, time.RFC3339Nano) }

// MarshalText returns the instant in RFC 3339, or nothing for "never".
func (i Instant) MarshalText() ([]byte, error) {
	if i == 0 {
		return nil, nil
	}
	return i.append(nil), nil
}

// UnmarshalText accepts what MarshalText writes.
func (i *Instant) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*i = 0
		return nil
	}
	var t time.Time
	if err := t.UnmarshalText(text); err != nil {
		return fmt.Errorf("lifecycle: not a time in RFC 3339")
	}
	*i = At(t)
	return nil
}
