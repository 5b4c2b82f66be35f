//go:build !unix

package httpserver

func openFiles() uint64 { return 0 }
