package testkit

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"testing"
	"time"
)

// Main runs the tests of a package, and fails if they leave goroutines behind.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 && !quiet() {
		fmt.Fprintln(os.Stderr, "goroutines were left behind:")
		_ = pprof.Lookup("goroutine").WriteTo(os.Stderr, 1)
		code = 1
	}
	os.Exit(code)
}

// quiet waits until only this goroutine and that of package signal are left.
func quiet() bool {
	for range 200 {
		if runtime.NumGoroutine() <= 2 {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
