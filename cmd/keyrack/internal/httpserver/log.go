package httpserver

import (
	"bytes"
	"log"
	"log/slog"
	"strings"
)

// serverLog writes the messages of net/http to a log.
type serverLog struct{ log *slog.Logger }

func newServerLog(l *slog.Logger) *log.Logger { return log.New(serverLog{l}, "", 0) }

// Write logs one message. It keeps only the stack of a panic: the value may hold what
// was in the request.
func (s serverLog) Write(message []byte) (int, error) {
	if !bytes.Contains(message, []byte("panic serving")) {
		s.log.Warn("HTTP server", "message", strings.TrimSpace(string(message)))
		return len(message), nil
	}
	stack := ""
	if i := bytes.LastIndex(message, []byte("\ngoroutine ")); i >= 0 {
		stack = string(message[i+1:])
	}
	s.log.Error("panic while answering a request", "stack", stack)
	return len(message), nil
}
