package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-json-experiment/json/jsontext"
)

// lineLimit is the longest line that Lines reads, in bytes, and the longest object over
// several lines.
const lineLimit = 1 << 20

// Open opens the file that an argument names, or stdin for "-".
func Open(name string, stdin io.Reader) (in io.Reader, close func(), err error) {
	if name == "-" {
		return stdin, func() {}, nil
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	return f, func() { f.Close() }, nil
}

// Lines yields the lines of a text that are not empty, with their numbers from 1. A JSON
// object that begins a line and ends another, as an editor or jq writes it, counts as one line
// with the number of its first. Nothing else is asked of a line. What ended it early is in
// failed.
func Lines(in io.Reader, failed *error) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		s := &lines{scanner: bufio.NewScanner(in)}
		s.scanner.Buffer(nil, lineLimit)
		s.scanner.Split(wholeLine)
		for {
			first, ok := s.next()
			if !ok {
				break
			}
			n := s.number
			line := bytes.TrimSpace(first)
			if len(line) == 0 {
				continue
			}
			if line[0] == '{' && !jsontext.Value(line).IsValid(lenient...) {
				line = s.object(line, first)
			}
			if !yield(n, line) {
				return
			}
		}
		switch err := s.scanner.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			*failed = fmt.Errorf("line %d is longer than %d bytes", s.number+1, lineLimit)
		case err != nil:
			*failed = err
		}
	}
}

// wholeLine is bufio.ScanLines, but leaves a line its carriage return.
func wholeLine(data []byte, atEOF bool) (advance int, token []byte, err error) {
	if i := bytes.IndexByte(data, '\n'); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// lenient leaves to a line's reader what it is to hold.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

// lines are those of a text, some of them read ahead.
type lines struct {
	scanner *bufio.Scanner
	ahead   [][]byte
	number  int // of the line that was returned last
}

func (s *lines) next() (line []byte, ok bool) {
	if len(s.ahead) > 0 {
		line, s.ahead = s.ahead[0], s.ahead[1:]
	} else if !s.scanner.Scan() {
		return nil, false
	} else {
		line = bytes.Clone(s.scanner.Bytes())
	}
	s.number++
	return line, true
}

// object returns the object that first begins and a later line ends. If there is none it
// returns line, and the lines after it come as they would have come.
func (s *lines) object(line, first []byte) []byte {
	pending := &pending{lines: s, rest: append(bytes.Clone(first), '\n')}
	decoder := jsontext.NewDecoder(pending, lenient...)
	value, err := decoder.ReadValue()
	if err != nil || len(bytes.TrimSpace(pending.rest)) > 0 || len(bytes.TrimSpace(decoder.UnreadBuffer())) > 0 {
		s.ahead = append(pending.taken, s.ahead...)
		s.number -= len(pending.taken)
		return line
	}
	return value
}

// pending reads the lines of an object, each when the decoder asks for it.
type pending struct {
	lines *lines
	rest  []byte   // of the line that is read
	taken [][]byte // the lines after the first
	size  int
}

func (p *pending) Read(b []byte) (int, error) {
	if len(p.rest) == 0 {
		if p.size > lineLimit {
			return 0, io.EOF
		}
		line, ok := p.lines.next()
		if !ok {
			return 0, io.EOF
		}
		p.taken = append(p.taken, line)
		p.rest = append(bytes.Clone(line), '\n')
	}
	n := copy(b, p.rest)
	p.rest = p.rest[n:]
	p.size += n
	return n, nil
}
