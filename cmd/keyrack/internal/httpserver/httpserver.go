// Package httpserver serves HTTP on a socket of its own, with limits for every
// connection, so that neither a slow client nor a large request ties the process
// up.
//
//	open ──Close──▶ draining ──the last request ends──▶ closed
//	                    └─────the context ends: cut off──┘
//
// A listener has a most number of connections, and shares the process's files with the
// others: crowd and Shares.
//
// What net/http says about its connections goes to the process's log. A panic of a
// handler is logged with its stack and without its value, which may hold what was in
// the request.
package httpserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of every connection. They are longer than what the library allows a
// delivery: 5 s for its body to arrive, and 4 s for the store.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 15 * time.Second
	idleTimeout       = time.Minute
	maxHeaderBytes    = 16 << 10
)

// ShutdownTimeout is how long callers let Close wait for running requests.
const ShutdownTimeout = 10 * time.Second

// Server is a running HTTP server. Open starts its goroutine, and Close ends it.
type Server struct {
	// Addr is the address that it listens on, host:port.
	Addr string
	// Failed receives the error that ended the server early, if one did. It is
	// closed when the goroutine has ended.
	Failed <-chan error

	server *http.Server
}

// Open serves on l until Close, with at most so many connections at a time.
func Open(l net.Listener, most int, handler http.Handler, log *slog.Logger) *Server {
	failed := make(chan error, 1)
	crowd := newCrowd(l, most)
	s := &Server{
		server: &http.Server{
			Handler: handler,
			// The handler refuses OPTIONS * as well.
			DisableGeneralOptionsHandler: true,
			ReadHeaderTimeout:            readHeaderTimeout,
			ReadTimeout:                  readTimeout,
			WriteTimeout:                 writeTimeout,
			IdleTimeout:                  idleTimeout,
			MaxHeaderBytes:               maxHeaderBytes,
			ErrorLog:                     newServerLog(log),
			ConnState:                    crowd.note,
		},
		Addr:   l.Addr().String(),
		Failed: failed,
	}
	go func() {
		defer close(failed)
		if err := s.server.Serve(crowd); !errors.Is(err, http.ErrServerClosed) {
			failed <- err
		}
	}()
	return s
}

// Close stops accepting, waits for the running requests until the context ends, and
// cuts off the rest, which is an error. It returns after the goroutine has ended.
func (s *Server) Close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close()
		err = fmt.Errorf("%s: requests were cut off: %w", s.Addr, err)
	}
	for range s.Failed { // until the goroutine has ended
	}
	return err
}
