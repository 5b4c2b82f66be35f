package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
)

func main() {
	short := flag.Bool("short", false, "fewer turns, and no million tokens: in less than one minute")
	flag.Parse()
	each, sizes := 8*time.Second, []int{1_000, 100_000, 1_000_000}
	if *short {
		each, sizes = time.Second, []int{1_000, 100_000}
	}
	if err := printAll(os.Stdout, each, sizes); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// printAll measures and prints all tables, each for such a time.
func printAll(w io.Writer, each time.Duration, sizes []int) error {
	fmt.Fprintf(w, "%s, %s/%s, %d processors\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0))
	show := func(err error, tables ...table) error {
		if err != nil {
			return err
		}
		for _, t := range tables {
			t.print(w)
		}
		return nil
	}
	t, err := transitions(each)
	if err := show(err, t); err != nil {
		return err
	}
	created, toggle := webhook(lifecycle.IntegrationCreated, 1), webhook(lifecycle.IntegrationDisabled, 1)
	t, err = decoding(each, "Decoding an IntegrationCreated", created, hotelID(1), tokenText(1))
	if err := show(err, t); err != nil {
		return err
	}
	t, err = decoding(each, "Decoding a toggle", toggle, hotelID(1), "")
	if err := show(err, t); err != nil {
		return err
	}
	printHazards(w)
	for _, size := range sizes {
		tables, err := lookUps(each, size)
		if err := show(err, tables...); err != nil {
			return err
		}
		runtime.GC() // the next one's memory is its own
	}
	tables, err := deliveries(each)
	if err := show(err, tables...); err != nil {
		return err
	}
	for _, a := range []lifecycle.Action{lifecycle.IntegrationCreated, lifecycle.IntegrationDisabled} {
		t, err = whereTimeGoes(each, a)
		if err := show(err, t); err != nil {
			return err
		}
	}
	t, err = overHTTP(each)
	if err := show(err, t); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "keyrack-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tables, err = commits(each, dir)
	if err := show(err, tables...); err != nil {
		return err
	}
	tables, err = postgres(each)
	if err == nil && tables == nil {
		fmt.Fprintf(w, "\n### Durable commits to PostgreSQL\n\nNOT MEASURED: %s names no server.\n", postgresURL)
	}
	return show(err, tables...)
}
