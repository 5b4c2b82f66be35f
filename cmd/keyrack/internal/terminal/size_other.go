//go:build !unix

package terminal

// Columns returns how wide the terminal is, 0 if that is not known, and -1 for no terminal.
// Here it is never known.
func Columns(end any) int {
	if !Is(end) {
		return -1
	}
	return 0
}
