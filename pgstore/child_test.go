package pgstore_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/store"
)

// child is what the test binary does where it was started to be killed: it writes
// into a store and prints every outcome, line by line, until it is killed.
func child() int {
	setting := strings.Split(os.Getenv(childVariable), "\n") // URL, schema, prefix
	s, err := pgstore.Open(context.Background(), setting[0], &pgstore.Options{Schema: setting[1]})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var mu sync.Mutex
	l := load{s: s, prefix: setting[2], told: func(o outcome) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf("%x %d %s\n", o.id[:], o.version, o.integration)
	}}
	if err := l.run(context.Background(), 6); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

// startChild starts one, whose outcomes go to note. The function that it returns
// waits until all outcomes are noted, after the child was killed.
func startChild(url, schema, prefix string, note func(outcome)) (*exec.Cmd, func(), error) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join([]string{url, schema, prefix}, "\n"))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, nil, err
	}
	noted := make(chan struct{})
	go func() {
		defer close(noted)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			var id []byte
			var o outcome
			// A line that was cut off was not told.
			if n, err := fmt.Sscanf(lines.Text(), "%x %d %s", &id, &o.version, &o.integration); n != 3 || err != nil || len(id) != 16 ||
				!strings.HasPrefix(o.integration, prefix) {
				continue
			}
			o.id = store.EntryID(id)
			note(o)
		}
	}()
	return cmd, func() { <-noted; _ = cmd.Wait() }, nil
}
