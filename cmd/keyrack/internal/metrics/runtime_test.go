package metrics

import (
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// valueOf returns the value of a sample without labels.
func valueOf(t *testing.T, page, name string) float64 {
	t.Helper()
	_, after, found := strings.Cut(page, "\n"+name+" ")
	text, _, _ := strings.Cut(after, "\n")
	value, err := strconv.ParseFloat(text, 64)
	if !found || err != nil {
		t.Errorf("there is no %s in:\n%s", name, page)
	}
	return value
}

// TestRuntimeMetrics: the page says how the process itself stands, under the names that
// dashboards of Go programs know, and the numbers move.
func TestRuntimeMetrics(t *testing.T) {
	m := New("0.0.0")
	page := func() string {
		var w promWriter
		m.writeRuntime(&w)
		sidecartest.WellFormed(t, w.String())
		return w.String()
	}
	runtime.GC()
	before := page()
	for name, least := range map[string]float64{
		"go_goroutines": 2, "go_threads": 1, "go_sched_gomaxprocs_threads": 1, "go_memstats_alloc_bytes": 10_000,
		"go_memstats_alloc_bytes_total": 10_000, "go_memstats_heap_objects": 100, "go_memstats_next_gc_bytes": 10_000,
		"go_memstats_sys_bytes": 1 << 20, "go_gc_duration_seconds_count": 1, "process_start_time_seconds": 1.7e9,
	} {
		if value := valueOf(t, before, name); value < least {
			t.Errorf("%s is %v", name, value)
		}
	}
	if !strings.Contains(before, `go_info{version="`+runtime.Version()+`"} 1`) {
		t.Error("the version of Go is not there")
	}
	if runtime.GOOS != "linux" {
		return
	}
	end := make(chan struct{})
	for range 10 {
		go func() { <-end }()
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
	}
	defer close(end)
	after := page()
	if n := valueOf(t, after, "go_goroutines"); n < 12 {
		t.Errorf("%v goroutines with 10 more", n)
	}
	if n := valueOf(t, after, "process_open_fds"); n < 10 || n > valueOf(t, after, "process_max_fds") {
		t.Errorf("%v files are open with 10 more", n)
	}
	if resident := valueOf(t, after, "process_resident_memory_bytes"); resident < 1<<20 || resident > valueOf(t, after, "process_virtual_memory_bytes") {
		t.Errorf("%v bytes of memory", resident)
	}
	if valueOf(t, after, "process_cpu_seconds_total") < valueOf(t, before, "process_cpu_seconds_total") {
		t.Error("the time on the processors goes back")
	}
}

// TestProcessMetrics: the name of a program that holds parentheses and blanks changes no
// number, and what cannot be read is left out.
func TestProcessMetrics(t *testing.T) {
	folder := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(folder+"/"+name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("stat", "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 250 50 0 0 20 0 9 0 100 4096000 3 18446744073709551615 1 1\n")
	write("limits", "Limit  Soft Limit  Hard Limit  Units\nMax open files            unlimited            524288               files\n")
	var w promWriter
	writeProcess(&w, folder)
	page := "\n" + w.String()
	sidecartest.WellFormed(t, w.String())
	if valueOf(t, page, "process_cpu_seconds_total") != 3 || valueOf(t, page, "process_virtual_memory_bytes") != 4096000 ||
		valueOf(t, page, "process_resident_memory_bytes") != float64(3*os.Getpagesize()) {
		t.Errorf("read:\n%s", page)
	}
	if strings.Contains(page, "fds") {
		t.Errorf("there are numbers of nothing:\n%s", page)
	}
}
