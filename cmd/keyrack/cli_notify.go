package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

// supervisor is systemd, or another program that speaks sd_notify(3) and
// sd_watchdog_enabled(3). The zero value is none.
type supervisor struct {
	socket   string        // a path, or with @ in front an abstract name
	watchdog time.Duration // without a sign of life for so long we are killed; 0 is never
}

// supervisorFrom reads what the supervisor sets in the environment.
func supervisorFrom(env environment) (supervisor, error) {
	s := supervisor{socket: env("NOTIFY_SOCKET")}
	if text := env("WATCHDOG_USEC"); s.socket != "" && text != "" {
		if pid := env("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
			return s, nil // another process is meant
		}
		µs, err := strconv.ParseInt(text, 10, 48)
		if err != nil || µs <= 0 {
			return s, usage.Errorf("WATCHDOG_USEC must be a number of microseconds; the supervisor sets it")
		}
		s.watchdog = time.Duration(µs) * time.Microsecond
	}
	return s, nil
}

// statusEvery is how often the supervisor gets a status, unless the watchdog needs it more
// often.
const statusEvery = 10 * time.Second

// attend tells the supervisor that the process is ready, then how it is until ctx ends, and
// at last that it is stopping. Without a supervisor it returns at once.
//
// The watchdog is fed as long as the store is read, whether the store answers or not. If it
// does not, this process still answers from memory, while a new one could not even open
// the store.
func (s supervisor) attend(ctx context.Context, status func() keyrack.SyncStatus, log *slog.Logger) {
	if s.socket == "" {
		return
	}
	informed := true
	tell := func(message string) {
		err := s.tell(message)
		if err != nil && informed {
			log.Warn("cannot notify the supervisor", "error", err)
		}
		informed = err == nil
	}
	every := statusEvery
	if s.watchdog > 0 {
		every = min(every, s.watchdog/2)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	tell("READY=1\n" + s.sign(status(), time.Now()))
	for {
		select {
		case <-tick.C:
			tell(s.sign(status(), time.Now()))
		case <-ctx.Done():
			tell("STOPPING=1\nSTATUS=finishing running requests\n")
			return
		}
	}
}

// sign returns the status for the supervisor.
func (s supervisor) sign(f keyrack.SyncStatus, now time.Time) string {
	since := now.Sub(f.Looked)
	if s.watchdog > 0 && since >= s.watchdog {
		return fmt.Sprintf("STATUS=stuck: the store was not read for %v\n", since.Round(time.Second))
	}
	sign := "STATUS=" + api.Condition(f) + "\n"
	if s.watchdog > 0 {
		sign += "WATCHDOG=1\n"
	}
	return sign
}

// tell sends one message. It does not wait long for a supervisor that does not read.
func (s supervisor) tell(message string) error {
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer conn.Close()
	_ = conn.SetWriteDeadline(time.Now().Add(time.Second))
	_, err = conn.Write([]byte(message))
	return err
}
