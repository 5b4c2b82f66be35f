package client

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestReadEvents(t *testing.T) {
	const text = ": still here\n\nid: 1\nevent: change\ndata: {\"a\":\ndata:1}\n\nid: 2\n\nretry: 5\nevent: other\ndata: x\n\ndata: unfinished"
	var got []string
	alive := 0
	err := readEvents(strings.NewReader(text), func() { alive++ }, func(e Event) error {
		got = append(got, e.ID+"|"+e.Name+"|"+string(e.Data))
		return nil
	})
	if want := []string{"1|change|{\"a\":\n1}", "2||", "2|other|x"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if err == nil || alive != 14 {
		t.Errorf("%v, %d lines", err, alive)
	}
	stop := errors.New("stop")
	if err := readEvents(strings.NewReader("id: 1\n\n"), func() {}, func(Event) error { return stop }); err != stop {
		t.Error(err)
	}
	if err := readEvents(strings.NewReader("data: "+strings.Repeat("x", eventLimit)), func() {}, nil); err == nil {
		t.Error("a line without end was read")
	}
}
