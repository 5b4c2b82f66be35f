package files

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// lineLimit is the longest line that Lines reads, in bytes.
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

// Lines yields the lines of a text that are not empty, with their numbers from 1. What ended
// it early is in failed.
func Lines(in io.Reader, failed *error) func(yield func(int, []byte) bool) {
	return func(yield func(int, []byte) bool) {
		scanner := bufio.NewScanner(in)
		scanner.Buffer(nil, lineLimit)
		n := 0
		for scanner.Scan() {
			n++
			line := bytes.TrimSpace(scanner.Bytes())
			if len(line) > 0 && !yield(n, line) {
				return
			}
		}
		switch err := scanner.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			*failed = fmt.Errorf("line %d is longer than %d bytes", n+1, lineLimit)
		case err != nil:
			*failed = err
		}
	}
}
