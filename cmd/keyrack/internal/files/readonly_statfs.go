//go:build linux || darwin

package files

import "syscall"

// readOnlyFlag is ST_RDONLY of Linux and MNT_RDONLY of macOS.
const readOnlyFlag = 1

// readOnly reports whether the file system of a path is mounted read-only.
func readOnly(path string) bool {
	var stat syscall.Statfs_t
	return syscall.Statfs(path, &stat) == nil && stat.Flags&readOnlyFlag != 0
}
