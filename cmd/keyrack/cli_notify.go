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

// supervisor is systemd, or whoever else speaks sd_notify(3) and
// sd_watchdog_enabled(3). The zero value is nobody.
type supervisor struct {
	socket   string        // a path, or with @ in front an abstract name
	watchdog time.Duration // without a sign of life for so long we are killed; 0 is never
}

// supervisorFrom reads what the supervisor says in the environment.
func supervisorFrom(env environment) (supervisor, error) {
	s := supervisor{socket: env("NOTIFY_SOCKET")}
	if text := env("WATCHDOG_USEC"); s.socket != "" && text != "" {
		if pid := env("WATCHDOG_PID"); pid != "" && pid != strconv.Itoa(os.Getpid()) {
			return s, nil // another process is meant
		}
		µs, err := strconv.ParseInt(text, 10, 48)
		if err != nil || µs <= 0 {
			return s, usage.Errorf("WATCHDOG_USEC is a number of microseconds, which the supervisor sets")
		}
		s.watchdog = time.Duration(µs) * time.Microsecond
	}
	return s, nil
}

// statusEvery is how often the supervisor learns how we are, where no watchdog
// asks for more.
const statusEvery = 10 * time.Second

// attend tells the supervisor that we are ready, and from then on how we are, until
// the context ends; that we are stopping comes last. It tells nobody nothing.
//
// The watchdog hears of us while the store is looked at, whether it answers or not.
// Where it does not, answers to questions come from memory, and a new process,
// which cannot open its store, would have none.
func (s supervisor) attend(ctx context.Context, following func() keyrack.Following, log *slog.Logger) {
	if s.socket == "" {
		return
	}
	told := true
	tell := func(message string) {
		err := s.tell(message)
		if err != nil && told {
			log.Warn("the supervisor cannot be told", "error", err)
		}
		told = err == nil
	}
	every := statusEvery
	if s.watchdog > 0 {
		every = min(every, s.watchdog/2)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	tell("READY=1\n" + s.sign(following(), time.Now()))
	for {
		select {
		case <-tick.C:
			tell(s.sign(following(), time.Now()))
		case <-ctx.Done():
			tell("STOPPING=1\nSTATUS=finishing what has begun\n")
			return
		}
	}
}

// sign is what the supervisor learns of us.
func (s supervisor) sign(f keyrack.Following, now time.Time) string {
	since := now.Sub(f.Looked)
	if s.watchdog > 0 && since >= s.watchdog {
		return fmt.Sprintf("STATUS=stuck: the store has not been looked at for %v\n", since.Round(time.Second))
	}
	sign := "STATUS=" + api.Condition(f) + "\n"
	if s.watchdog > 0 {
		sign += "WATCHDOG=1\n"
	}
	return sign
}

// tell sends one message. A supervisor that does not read is not waited for long.
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
