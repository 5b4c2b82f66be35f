package httpserver

import (
	"bufio"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// crowded serves with room for so many connections. A request to /slow tells began, and waits
// for slow.
func crowded(t *testing.T, most int) (s *Server, began <-chan struct{}, slow chan struct{}) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	slow = make(chan struct{})
	begins := make(chan struct{}, 9)
	s = Open(l, most, http.HandlerFunc(func(_ http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/slow" {
			begins <- struct{}{}
			<-slow
		}
	}), slog.New(slog.DiscardHandler))
	t.Cleanup(func() {
		if err := s.Close(t.Context()); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	return s, begins, slow
}

func connect(t *testing.T, s *Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(testkit.Patience))
	return conn
}

func request(t *testing.T, conn net.Conn, path string) {
	t.Helper()
	if _, err := io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
}

func answered(t *testing.T, conn net.Conn) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// cut waits until the server has closed a connection.
func cut(t *testing.T, conn net.Conn) {
	t.Helper()
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the connection is open: %d, %v", n, err)
	}
}

// TestCrowdMakesRoom: a new connection takes the place of the one that has been silent for
// longest, first of one that never asked anything, and never of one with a request under way.
func TestCrowdMakesRoom(t *testing.T) {
	s, began, slow := crowded(t, 3)
	idle, busy := connect(t, s), connect(t, s)
	request(t, idle, "/")
	answered(t, idle)
	request(t, busy, "/slow")
	<-began
	trickle := connect(t, s)
	if _, err := io.WriteString(trickle, "GET / HT"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(4 * patience) // it has been silent for long enough
	one := connect(t, s)
	request(t, one, "/slow")
	cut(t, trickle)
	<-began
	two := connect(t, s)
	request(t, two, "/slow")
	cut(t, idle)
	<-began
	// Now all have a request under way: the next waits, and none is cut.
	three := connect(t, s)
	request(t, three, "/")
	_ = three.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := three.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Error("there was room for a fourth")
	}
	_ = three.SetReadDeadline(time.Now().Add(testkit.Patience))
	close(slow)
	for _, conn := range []net.Conn{busy, one, two, three} {
		answered(t, conn)
	}
}

// TestCrowdCloses: a listener that is full ends all the same.
func TestCrowdCloses(t *testing.T) {
	s, began, slow := crowded(t, 1)
	busy := connect(t, s)
	request(t, busy, "/slow")
	<-began
	waiting := connect(t, s)
	time.Sleep(20 * time.Millisecond)
	go func() { time.Sleep(20 * time.Millisecond); close(slow) }()
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
	cut(t, waiting)
}

// TestShareOut: each listener has a share, and files are left for everything else.
func TestShareOut(t *testing.T) {
	for _, files := range []uint64{0, 20, 64, 300, 1024, 65536, 1 << 40} {
		s := ShareOut(files)
		if s.Webhooks < 1 || s.API < 1 || s.Health < 1 || s.Webhooks > MostConnections {
			t.Errorf("%d files: %+v", files, s)
		}
		if sum := uint64(s.Webhooks + s.API + s.Health); files >= 64 && sum+files/4 > files && sum+keptBack > files {
			t.Errorf("%d files: %+v leave nothing", files, s)
		}
	}
	if OpenFiles() == 0 {
		t.Log("the number of files is not known here")
	}
}
