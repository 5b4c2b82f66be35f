package guard

import "fmt"

// Panicked calls do and returns the value with which it panicked, or nil. Callers tell
// its type at most: the value may hold anything.
func Panicked(do func()) (value any) {
	defer func() { value = recover() }()
	do()
	return nil
}

func panicked(whose string, v any) error { return fmt.Errorf("%s: panic of a %T", whose, v) }
