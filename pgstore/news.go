package pgstore

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// notifier tells the goroutine tell about commits. Several in quick succession count as
// one.
type notifier struct {
	rung chan struct{}
	name string // of this store, so that it does not listen to itself
}

func newNotifier() *notifier { return &notifier{rung: make(chan struct{}, 1), name: rand.Text()} }

func (n *notifier) ring() {
	select {
	case n.rung <- struct{}{}:
	default:
	}
}

const (
	// gather is how long after one NOTIFY the next one waits. Under load there are then
	// a few hundred a second, each for many commits.
	gather = 5 * time.Millisecond
	// tellPatience bounds one NOTIFY, and listenPatience what should take no time on
	// the connection that listens.
	tellPatience   = 5 * time.Second
	listenPatience = 5 * time.Second
	// hearAfter is how long a connection may listen in silence before it is checked.
	hearAfter = 15 * time.Second
	// hearWithin is how long a connection that listens may take to hear what this store
	// sends. One that twice hears nothing is behind a pooler in transaction mode.
	hearWithin = 5 * time.Second
	// hearing begins the payload of what is sent to see whether it is heard.
	hearing = "hearing "

	notify = `select pg_notify($1::text, $2::text)`
)

// tell notifies other instances of commits until the context ends. It assigns the
// positions first, so that not every instance has to.
func (s *Store) tell(ctx context.Context) {
	for {
		select {
		case <-s.notifier.rung:
		case <-ctx.Done():
			return
		}
		if !s.tellOnce(ctx) {
			return
		}
		select {
		case <-time.After(gather):
		case <-ctx.Done():
			return
		}
	}
}

// tellOnce reports whether it makes sense to continue. If it fails, the others find out
// by polling.
func (s *Store) tellOnce(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, tellPatience)
	defer cancel()
	if err := s.sequence(ctx); err != nil {
		return true
	}
	_, err := s.exec(ctx, once, notify, s.schema, s.notifier.name)
	return !unsupported(err)
}

// unsupported reports whether this database has no NOTIFY.
func unsupported(err error) bool {
	code := codeOf(err)
	return code == codeUnsupported || code == codeNoFunction || code == codeSyntax
}

// News returns a channel that gets a value whenever other instances may have committed:
// shortly afterwards if LISTEN and NOTIFY work, and every Poll in any case, so nothing
// depends on them. Values that nobody has received yet count as one. The channel is
// closed when the context ends.
//
// News holds a connection of its own, beside those of the pool, and makes a new one
// whenever it is lost. If that hears nothing, not even what this store sends, a pooler in
// transaction mode is between, and News only polls.
func (s *Store) News(ctx context.Context) <-chan struct{} {
	news := make(chan struct{}, 1)
	send := func() {
		select {
		case news <- struct{}{}:
		default:
		}
	}
	go func() {
		defer close(news)
		clock := time.NewTicker(s.poll)
		defer clock.Stop()
		if s.notifier != nil {
			heard := make(chan struct{})
			listening, stop := context.WithCancel(ctx)
			go func() {
				defer close(heard)
				s.listen(listening, send)
			}()
			defer func() { stop(); <-heard }()
		}
		for {
			select {
			case <-clock.C:
				send()
			case <-ctx.Done():
				return
			}
		}
	}()
	return news
}

// errDeaf: a connection that listens heard nothing of what was sent.
var errDeaf = errors.New("it hears nothing")

// listen calls send for each NOTIFY of others, until the context ends. If this database
// has no LISTEN, or if a pooler makes it deaf, it returns.
func (s *Store) listen(ctx context.Context, send func()) {
	deaf := 0
	for attempt := 1; ctx.Err() == nil && !s.closed.Load(); attempt++ {
		connected, err := s.listenOnce(ctx, send)
		if unsupported(err) {
			return
		}
		if errors.Is(err, errDeaf) {
			if deaf++; deaf == 2 {
				s.pools.found()
				return
			}
		} else {
			deaf = 0
		}
		if connected {
			attempt = 0
		}
		select {
		case <-time.After(min(s.poll<<min(attempt, 6), 5*time.Second)):
		case <-ctx.Done():
		}
	}
}

// listenOnce makes a connection and listens on it until it is lost.
func (s *Store) listenOnce(ctx context.Context, send func()) (connected bool, err error) {
	patient := func(f func(context.Context) error) error {
		bounded, cancel := context.WithTimeout(ctx, listenPatience)
		defer cancel()
		return f(bounded)
	}
	var conn *pgx.Conn
	err = patient(func(ctx context.Context) error {
		config := s.pool().Config()
		if config.BeforeConnect != nil { // usually for passwords that expire
			if err := config.BeforeConnect(ctx, config.ConnConfig); err != nil {
				return err
			}
		}
		conn, err = pgx.ConnectConfig(ctx, config.ConnConfig)
		return err
	})
	if err != nil {
		return false, err
	}
	defer func() {
		bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(bounded)
	}()
	err = patient(func(ctx context.Context) error {
		_, err := conn.Exec(ctx, "listen "+pgx.Identifier{s.schema}.Sanitize(), pgx.QueryExecModeSimpleProtocol)
		return err
	})
	if err != nil {
		return false, err
	}
	if err := s.hears(ctx, conn); err != nil {
		return false, err
	}
	for {
		send() // for what came before it listened
		for {
			waiting, cancel := context.WithTimeout(ctx, hearAfter)
			heard, err := conn.WaitForNotification(waiting)
			silent := waiting.Err() != nil
			cancel()
			if err == nil {
				if heard.Payload == s.notifier.name || strings.HasPrefix(heard.Payload, hearing) {
					continue
				}
				break
			}
			if !silent || ctx.Err() != nil {
				return true, err
			}
			if err := patient(conn.Ping); err != nil {
				return true, err
			}
		}
	}
}

// hears sends a word over the pool and waits until the connection that listens hears it, or
// returns errDeaf. What it hears of others meanwhile has come before it listens.
func (s *Store) hears(ctx context.Context, conn *pgx.Conn) error {
	word := hearing + rand.Text()
	bounded, cancel := context.WithTimeout(ctx, listenPatience)
	defer cancel()
	if _, err := s.exec(bounded, once, notify, s.schema, word); err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, s.hearWithin)
	defer cancel()
	for {
		heard, err := conn.WaitForNotification(waiting)
		switch {
		case err == nil && heard.Payload == word:
			return nil
		case err == nil:
		case waiting.Err() != nil && ctx.Err() == nil:
			return errDeaf
		default:
			return err
		}
	}
}
