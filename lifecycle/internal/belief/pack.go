package belief

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// The bits of a packed history's first byte.
const (
	packedTwo = 1 << iota
	packedCreated
	packedOldEnabled
	packedOldCanceled
	packedStormEnabled
	packedStormCanceled
	packedEnd
)

var errPacked = errors.New("belief: not in the form in which it is written")

// AppendText appends the State as text of letters, digits, - and _.
func (s State) AppendText(b []byte) ([]byte, error) {
	return base64.RawURLEncoding.AppendEncode(b, []byte(s.packed)), nil
}

// MarshalText returns what AppendText appends.
func (s State) MarshalText() ([]byte, error) { return s.AppendText(nil) }

// UnmarshalText accepts what MarshalText writes, and no State that the other methods
// could not work with.
func (s *State) UnmarshalText(text []byte) error {
	*s = State{}
	b, err := base64.RawURLEncoding.DecodeString(string(text))
	if err != nil {
		return errPacked // without the text
	}
	if len(b) > 0 {
		h, ok := unpack(string(b))
		if !ok {
			return errPacked
		}
		*s = h.state()
	}
	if again, _ := s.MarshalText(); string(again) != string(text) {
		*s = State{}
		return errPacked
	}
	return nil
}

func (h *history) pack(b []byte) []byte {
	var flags byte
	for i, on := range [...]bool{h.two, h.created, h.old[0], h.old[1], h.storm[0] != 0, h.storm[1] != 0} {
		if on {
			flags |= 1 << i
		}
	}
	b = append(b, flags)
	for _, at := range h.storm {
		if at != 0 {
			b = binary.AppendVarint(b, at)
		}
	}
	b = append(b, byte(len(h.kept)))
	last := int64(0)
	for _, it := range h.kept {
		b = append(b, byte(it.what))
		b = binary.AppendVarint(b, it.at-last)
		last = it.at
	}
	b = appendRuns(b, h.lost[:])
	b = append(b, byte(len(h.front)))
	for i := range h.front {
		b = append(b, h.front[i].placed[:]...)
		b = appendRuns(b, h.front[i].lanes[:])
	}
	return b
}

// appendRuns appends numLanes numbers: how many are the same, and which.
func appendRuns[T uint8 | set](b []byte, all []T) []byte {
	for i := 0; i < len(all); {
		n := 1
		for i+n < len(all) && all[i+n] == all[i] {
			n++
		}
		b = append(b, byte(n))
		b = binary.AppendUvarint(b, uint64(all[i]))
		i += n
	}
	return b
}

// unpacker reads what pack wrote; failed once it is something else.
type unpacker struct {
	rest   string
	failed bool
}

func (u *unpacker) byte() byte {
	if u.rest == "" {
		u.failed = true
		return 0
	}
	b := u.rest[0]
	u.rest = u.rest[1:]
	return b
}

func (u *unpacker) uvarint() (n uint64) {
	for shift := 0; shift < 64; shift += 7 {
		b := u.byte()
		n |= uint64(b&127) << shift
		if b < 128 {
			return n
		}
	}
	u.failed = true
	return 0
}

func (u *unpacker) varint() int64 {
	n := u.uvarint()
	return int64(n>>1) ^ -int64(n&1)
}

func runs[T uint8 | set](u *unpacker, all []T, most T) {
	for i := 0; i < len(all) && !u.failed; {
		n, v := int(u.byte()), u.uvarint()
		if n == 0 || i+n > len(all) || v > uint64(most) {
			u.failed = true
			return
		}
		for range n {
			all[i] = T(v)
			i++
		}
	}
}

func unpack(packed string) (*history, bool) {
	u := unpacker{rest: packed}
	flags := u.byte()
	h := &history{
		two: flags&packedTwo != 0, created: flags&packedCreated != 0,
		old: [2]bool{flags&packedOldEnabled != 0, flags&packedOldCanceled != 0},
	}
	for i, bit := range [...]byte{packedStormEnabled, packedStormCanceled} {
		if flags&bit != 0 {
			h.storm[i] = u.varint()
		}
	}
	var had counts
	last := int64(0)
	if n := int(u.byte()); n > 0 && n <= len(packed) {
		h.kept = make([]item, n)
		for i := range h.kept {
			it := item{Event(u.byte()), last + u.varint()}
			if it.what > works || i > 0 && it.at < last || it.at < minTime || it.at > -minTime {
				return nil, false
			}
			h.kept[i], last = it, it.at
			had[it.what]++
		}
	}
	runs(&u, h.lost[:], maxLost)
	n := int(u.byte())
	if u.failed || flags >= packedEnd || n == 0 || n > len(packed) ||
		had[Enabled]+had[Disabled] > maxOfPair || had[Canceled]+had[Reinstated] > maxOfPair || had[works] > maxSightings {
		return nil, false
	}
	h.front = make([]entry, n)
	var all lanes
	for i := range h.front {
		e := &h.front[i]
		for j := range e.placed {
			e.placed[j] = u.byte()
			u.failed = u.failed || e.placed[j] > had[j]
		}
		runs(&u, e.lanes[:], ofBorn|^ofBorn)
		all.or(&e.lanes)
	}
	// A lane that is followed has something in it, and only what can be.
	for i := range all {
		followed := h.lanes()>>i&1 == 1
		if followed != (all[i] != 0) || all[i]&^laneOf(i).anything(ofBorn|^ofBorn) != 0 {
			return nil, false
		}
	}
	return h, !u.failed && u.rest == ""
}
