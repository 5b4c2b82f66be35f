package httpserver_test

import (
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/httpserver"
)

func TestIsLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8081": true, "127.0.0.1": true, "127.8.9.1:80": true, "[::1]:8081": true,
		"[::ffff:127.0.0.1]:80": true,
		"":                      false, ":8081": false, "0.0.0.0:80": false, "localhost.example:80": false, "127.0.0.1.example": false, "10.0.0.1": false,
	} {
		if got := httpserver.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) is %v", host, got)
		}
	}
}
