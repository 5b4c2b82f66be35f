//go:build unix

package httpserver

import "syscall"

// openFiles is the soft limit, which Go has raised to the hard one when it started.
func openFiles() uint64 {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil || int64(limit.Cur) < 0 {
		return 0
	}
	return uint64(limit.Cur) // int64 on FreeBSD
}
