package files

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// TestReadOnly: what the kernel lists as mounted read-only is that, and nothing else.
func TestReadOnly(t *testing.T) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]bool{} // the last mount of a folder counts
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if slices.Contains([]string{"proc", "sysfs", "tmpfs", "overlay", "ext4", "xfs", "btrfs", "cgroup2"}, fields[2]) {
			want[fields[1]] = slices.Contains(strings.Split(fields[3], ","), "ro")
		} else {
			delete(want, fields[1])
		}
	}
	if len(want) == 0 {
		t.Fatalf("no file system is known:\n%s", text)
	}
	for folder, ro := range want {
		if _, err := os.Stat(folder); err == nil && readOnly(folder) != ro {
			t.Errorf("%s: %v", folder, !ro)
		}
	}
}
