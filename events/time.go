package events

import (
	"bytes"
	"strconv"
	"time"
)

// parseTime reads a point in time, in UTC, to the nanosecond. It takes what Mews's stack
// may write:
//
//	2019-12-13T14:42:52Z          as documented
//	2019-12-13 14:42:52.1234567   a blank instead of T, a fraction of any length, no zone
//	2019-12-13T14:42+0100         no seconds, an offset with or without the colon
//	2019-12-13                    a date alone: midnight
//	/Date(1576248172000+0100)/    of former .NET: milliseconds since 1970, in UTC
//
// The specification says that times are UTC, so a missing zone means UTC.
func parseTime(b []byte) (t time.Time, ok bool) {
	const documented = len("2019-12-13T14:42:52Z")
	if len(b) == documented && b[documented-1] == 'Z' && t.UnmarshalText(b) == nil {
		return t, true
	}
	if ms, found := bytes.CutPrefix(b, []byte("/Date(")); found {
		t, ok = parseDotNet(ms)
	} else {
		t, ok = parseISO(b)
	}
	if !ok || !inYears(t) { // an offset may move it out
		return time.Time{}, false
	}
	return t, true
}

// inYears reports whether a time in UTC can be written in ISO 8601.
func inYears(t time.Time) bool { return 0 <= t.Year() && t.Year() <= 9999 }

// parseDotNet reads the rest of /Date(ms)/ or /Date(ms+0100)/. The offset does not change
// the point in time.
func parseDotNet(b []byte) (t time.Time, ok bool) {
	b, ok = bytes.CutSuffix(b, []byte(")/"))
	if !ok {
		return t, false
	}
	if at := len(b) - len("+0100"); at > 0 && (b[at] == '+' || b[at] == '-') {
		if _, ok := parseOffset(b[at:]); !ok {
			return t, false
		}
		b = b[:at]
	}
	ms, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return t, false
	}
	return time.UnixMilli(ms).UTC(), true
}

// parseISO reads a date and, if there is one, a time of the day.
func parseISO(b []byte) (t time.Time, ok bool) {
	c := clockText{b: b}
	year := c.digits(4, 9999)
	c.expect("-")
	month := c.digits(2, 12)
	c.expect("-")
	day := c.digits(2, 31)
	var hour, minute, second, nanosecond, offset int
	if len(c.b) > 0 {
		c.expect("Tt ")
		hour = c.digits(2, 23)
		c.expect(":")
		minute = c.digits(2, 59)
		if c.sees(":") {
			second = c.digits(2, 59)
			if c.sees(".,") {
				nanosecond = c.fraction()
			}
		}
		offset = c.zone()
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, nanosecond, time.UTC)
	if c.bad || len(c.b) > 0 || month == 0 || t.Day() != day { // the 31st of February
		return time.Time{}, false
	}
	return t.Add(time.Duration(-offset) * time.Minute), true
}

// clockText is what is left of a time. The first thing that does not fit makes it bad.
type clockText struct {
	b   []byte
	bad bool
}

// sees takes one of the given bytes, and reports whether it was there.
func (c *clockText) sees(any string) bool {
	if len(c.b) == 0 || bytes.IndexByte([]byte(any), c.b[0]) < 0 {
		return false
	}
	c.b = c.b[1:]
	return true
}

func (c *clockText) expect(any string) {
	if !c.sees(any) {
		c.bad = true
	}
}

// digits takes a number of exactly n digits that is at most most.
func (c *clockText) digits(n, most int) (value int) {
	if len(c.b) < n {
		c.bad = true
		return 0
	}
	for _, digit := range c.b[:n] {
		if digit < '0' || digit > '9' {
			c.bad = true
			return 0
		}
		value = 10*value + int(digit-'0')
	}
	if value > most {
		c.bad = true
	}
	c.b = c.b[n:]
	return value
}

// fraction takes at least one digit, and returns nanoseconds. Further digits are cut off.
func (c *clockText) fraction() (nanoseconds int) {
	n := 0
	for ; n < len(c.b) && '0' <= c.b[n] && c.b[n] <= '9'; n++ {
		if n < 9 {
			nanoseconds = 10*nanoseconds + int(c.b[n]-'0')
		}
	}
	c.b, c.bad = c.b[n:], c.bad || n == 0
	for ; n < 9; n++ {
		nanoseconds *= 10
	}
	return nanoseconds
}

// zone takes Z or an offset, if there is one, and returns minutes east of UTC.
func (c *clockText) zone() int {
	if len(c.b) == 0 || c.sees("Zz") {
		return 0
	}
	minutes, ok := parseOffset(c.b)
	c.b, c.bad = nil, c.bad || !ok
	return minutes
}

// parseOffset reads +01:00, +0100 or +01.
func parseOffset(b []byte) (minutes int, ok bool) {
	c := clockText{b: b}
	sign := 1
	if !c.sees("+") {
		c.expect("-")
		sign = -1
	}
	minutes = 60 * c.digits(2, 23)
	if len(c.b) > 0 {
		c.sees(":")
		minutes += c.digits(2, 59)
	}
	return sign * minutes, !c.bad && len(c.b) == 0
}
