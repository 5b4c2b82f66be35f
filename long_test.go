package keyrack_test

import "os"

// long reports whether the long runs were asked for, with KEYRACK_LONG=1.
func long() bool { return os.Getenv("KEYRACK_LONG") != "" }
