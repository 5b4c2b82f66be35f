package metrics

import (
	"bytes"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"runtime/pprof"
	"strconv"
	"strings"
)

// goMetrics are what Go's runtime says of itself, under the names that programs in Go use for
// it everywhere.
var goMetrics = []struct{ name, kind, source, help string }{
	{"go_goroutines", "gauge", "/sched/goroutines:goroutines", "Goroutines that exist now."},
	{"go_sched_gomaxprocs_threads", "gauge", "/sched/gomaxprocs:threads", "Threads that may run Go code at once."},
	{"go_memstats_alloc_bytes", "gauge", "/memory/classes/heap/objects:bytes", "Bytes of objects on the heap, dead ones that are not swept included."},
	{"go_memstats_alloc_bytes_total", "counter", "/gc/heap/allocs:bytes", "Bytes allocated for objects so far."},
	{"go_memstats_heap_objects", "gauge", "/gc/heap/objects:objects", "Objects on the heap."},
	{"go_memstats_next_gc_bytes", "gauge", "/gc/heap/goal:bytes", "Size of the heap at which the next garbage collection ends."},
	{"go_memstats_sys_bytes", "gauge", "/memory/classes/total:bytes", "Bytes that Go has from the system."},
}

// writeRuntime writes how the process stands: what Go says, and what Linux does. On other
// systems there is only the first.
func (m *Metrics) writeRuntime(w *promWriter) {
	w.gauge("go_info", "Always 1; the version of Go is in the label.", 1, "version", runtime.Version())
	w.gauge("go_threads", "Threads of the system that were made.", float64(pprof.Lookup("threadcreate").Count()))
	samples := make([]metrics.Sample, len(goMetrics))
	for i := range samples {
		samples[i].Name = goMetrics[i].source
	}
	metrics.Read(samples)
	for i, one := range goMetrics {
		if samples[i].Value.Kind() == metrics.KindUint64 {
			w.family(one.name, one.kind, one.help)
			w.sample(one.name, float64(samples[i].Value.Uint64()))
		}
	}
	var collections debug.GCStats
	debug.ReadGCStats(&collections)
	w.family("go_gc_duration_seconds", "summary", "Garbage collections, and for how long they stopped everything.")
	w.sample("go_gc_duration_seconds_sum", collections.PauseTotal.Seconds())
	w.sample("go_gc_duration_seconds_count", float64(collections.NumGC))

	w.gauge("process_start_time_seconds", "When the process began, since the Unix epoch.", float64(m.began.UnixMilli())/1000)
	writeProcess(w, "/proc/self")
}

// ticksPerSecond is the unit of times in /proc/PID/stat (USER_HZ), the same on all
// architectures that Go knows.
const ticksPerSecond = 100

// writeProcess writes what the files of a folder such as /proc/self say. What cannot be read
// there is left out.
func writeProcess(w *promWriter, folder string) {
	if text, err := os.ReadFile(folder + "/stat"); err == nil {
		// The name of the program is in parentheses and may hold anything. User and system
		// time are the 14th and 15th field, memory the 23rd and 24th (proc_pid_stat(5)).
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		number := func(n int) float64 {
			if n-3 >= len(fields) {
				return 0
			}
			value, _ := strconv.ParseFloat(string(fields[n-3]), 64)
			return value
		}
		w.family("process_cpu_seconds_total", "counter", "Time on the processors, in user and system mode.")
		w.sample("process_cpu_seconds_total", (number(14)+number(15))/ticksPerSecond)
		w.gauge("process_virtual_memory_bytes", "Bytes of virtual memory.", number(23))
		w.gauge("process_resident_memory_bytes", "Bytes of memory in use.", number(24)*float64(os.Getpagesize()))
	}
	if open, err := os.ReadDir(folder + "/fd"); err == nil {
		w.gauge("process_open_fds", "Open files and connections.", float64(len(open)))
	}
	if text, err := os.ReadFile(folder + "/limits"); err == nil {
		_, after, _ := strings.Cut(string(text), "Max open files")
		if fields := strings.Fields(after); len(fields) > 0 {
			if most, err := strconv.ParseFloat(fields[0], 64); err == nil {
				w.gauge("process_max_fds", "Files and connections that the process may have open.", most)
			}
		}
	}
}
