//go:build unix

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

// Columns returns how wide the terminal is, 0 if that is not known, and -1 for no terminal.
func Columns(end any) int {
	if !Is(end) {
		return -1
	}
	size, err := unix.IoctlGetWinsize(int(end.(*os.File).Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return 0
	}
	return int(size.Col)
}
