package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// The limits of every connection. Together, body and answer of a delivery stay
// below what the library allows them: 5 s for the body to come, 4 s for the
// store.
const (
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 10 * time.Second
	writeTimeout      = 15 * time.Second
	idleTimeout       = time.Minute
	maxHeaderBytes    = 16 << 10
)

// listen opens the socket that a flag names. The port 0 is any free one.
func listen(ctx context.Context, flag, addr string) (net.Listener, error) {
	var config net.ListenConfig
	l, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("%w; choose another address with --%s or %s", err, flag, variable(flag))
	}
	return l, nil
}

// site is an HTTP server on a socket of its own. open starts its goroutine, and
// close ends it.
type site struct {
	server *http.Server
	addr   string
	failed chan error // gets at most one, and is closed by the goroutine's end
}

// openSite serves on l until close.
func openSite(l net.Listener, handler http.Handler, log *slog.Logger) *site {
	s := &site{
		server: &http.Server{
			Handler: handler,
			// OPTIONS * is the handler's to refuse as well.
			DisableGeneralOptionsHandler: true,
			ReadHeaderTimeout:            readHeaderTimeout,
			ReadTimeout:                  readTimeout,
			WriteTimeout:                 writeTimeout,
			IdleTimeout:                  idleTimeout,
			MaxHeaderBytes:               maxHeaderBytes,
			ErrorLog:                     newServerLog(log),
		},
		addr:   l.Addr().String(),
		failed: make(chan error, 1),
	}
	go func() {
		defer close(s.failed)
		if err := s.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- err
		}
	}()
	return s
}

// close stops accepting, lets the requests that have begun finish as long as
// the context lasts, and cuts off the rest, which is an error.
func (s *site) close(ctx context.Context) error {
	err := s.server.Shutdown(ctx)
	if err != nil {
		_ = s.server.Close()
		err = fmt.Errorf("%s: requests were cut off: %w", s.addr, err)
	}
	for range s.failed { // until the goroutine has ended
	}
	return err
}
