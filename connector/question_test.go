package connector

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestWipe: a question is written in one place, however much of it must be
// escaped, and nothing of it stays there.
func TestWipe(t *testing.T) {
	q, err := ask(strings.Repeat("\x01", 500), strings.Repeat(`"`, 500), "\u2028", strings.Repeat("\\", 500))
	if err != nil {
		t.Fatal(err)
	}
	written := q.body[:cap(q.body)]
	r, _ := q.reader()
	read, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(read, written[:len(read)]) || int64(len(read)) != q.size {
		t.Fatalf("read %d bytes of %d, %v", len(read), q.size, err)
	}
	q.wipe()
	q.wipe() // twice is once
	if len(bytes.Trim(written, "\x00")) != 0 {
		t.Error("something is left")
	}
}
