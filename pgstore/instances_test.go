package pgstore_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/internal/testkit"
	"github.com/keyrack-dev/keyrack/pgstore"
	"github.com/keyrack-dev/keyrack/pgstore/pgtest"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
	"github.com/keyrack-dev/keyrack/store/storetest/deployment"
)

// Three instances on one database, each killed and restarted at random while a
// storm of deliveries runs: see package deployment for what must hold afterwards.
// Most live in this process, where a kill cuts their connections and leaves them
// alone with that; some are processes, which get a SIGKILL.
func TestInstancesDieAndNothingIsLost(t *testing.T) {
	c := pgtest.Shared(t)
	rounds := cycles(50, 1000)
	if testing.Short() || testkit.Race {
		rounds = min(rounds, 12)
	}
	// Most of a round is waiting: for what died to be missed.
	const atOnce = 8
	next := make(chan int)
	var totals totals
	var running sync.WaitGroup
	for range atOnce {
		running.Go(func() {
			for round := range next {
				if err := stormOverInstances(t, c, uint64(round), &totals); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
		})
	}
	began := time.Now()
	for round := range rounds {
		if t.Failed() {
			break
		}
		next <- round
	}
	close(next)
	running.Wait()
	t.Logf("%d rounds in %v: %d instances in this process and %d in processes of their own, %d entries, heard of %d times",
		rounds, time.Since(began).Round(time.Second), totals.racks, totals.processes, totals.entries, totals.heard)
	if totals.processes == 0 && rounds > 12 {
		t.Error("no process was killed")
	}
}

// totals are what the rounds came to.
type totals struct {
	mu                               sync.Mutex
	racks, processes, entries, heard int
}

func stormOverInstances(t *testing.T, c *pgtest.Cluster, seed uint64, all *totals) error {
	ctx := context.Background()
	schema := c.Schema(t)
	key := seal.NewKey()
	ring, err := seal.NewRing(key)
	if err != nil {
		return err
	}
	near, err := pgstore.Open(ctx, c.Socket("pool_max_conns=2"), &pgstore.Options{Schema: schema, NoListen: true})
	if err != nil {
		return err
	}
	defer near.Close()
	d := deployment.Deployment{
		Seed: seed, Instances: 3, Hotels: 4, Deliveries: 120,
		Store: near, Sealer: ring, Heard: new(deployment.Heard),
		Between: 10 * time.Millisecond, Down: 150 * time.Millisecond,
		Settle: func(well func() bool) {
			for deadline := time.Now().Add(settling); !well() && time.Now().Before(deadline); {
				time.Sleep(100 * time.Millisecond)
			}
		},
	}
	// What was abandoned goes on by itself until the round is over.
	var abandoned []func() error
	defer func() {
		for _, end := range abandoned {
			_ = end()
		}
	}()
	var racks, processes int
	d.Start = func() (deployment.Instance, error) {
		if rand.IntN(16) == 0 {
			processes++
			return startProcess(c.Socket("pool_max_conns=3"), schema, key, d.Heard)
		}
		racks++
		instance, end, err := startRack(ctx, &d, c, schema, hasty(d.Sealer))
		abandoned = append(abandoned, end)
		return instance, err
	}
	err = deployment.Run(ctx, d)
	entries, failed := 0, error(nil)
	for _, err := range near.Journal(ctx, 0) {
		entries, failed = entries+1, errors.Join(failed, err)
	}
	all.mu.Lock()
	defer all.mu.Unlock()
	all.racks, all.processes, all.entries, all.heard = all.racks+racks, all.processes+processes, all.entries+entries, all.heard+d.Heard.Len()
	return errors.Join(err, failed)
}

// hasty are the options of an instance whose peers notice soon that it died.
func hasty(sealer seal.Sealer) *keyrack.Options {
	return &keyrack.Options{
		Sealer: sealer, Prober: allIsWell{}, Horizon: 100 * time.Millisecond, Takeover: time.Second, Poll: 100 * time.Millisecond,
	}
}

// allIsWell is a prober to which every token works.
type allIsWell struct{}

func (allIsWell) Probe(context.Context, keyrack.Token, string) (connector.Answer, error) {
	return connector.Answer{Kind: connector.Accepted, Status: 200, Began: time.Now(), Enterprise: deployment.Enterprise}, nil
}

// startRack starts an instance in this process. What it returns beside it ends what
// a kill leaves alone.
func startRack(ctx context.Context, d *deployment.Deployment, c *pgtest.Cluster, schema string, options *keyrack.Options) (
	instance deployment.InProcess, end func() error, err error,
) {
	instance, end, err = startInstance(ctx, c, schema, options, func(*pgstore.Store) {})
	if err != nil {
		return instance, end, err
	}
	return instance, end, d.Subscribe(instance.Rack, 0.002)
}

// startInstance starts one without subscriptions, and shows its store.
func startInstance(ctx context.Context, c *pgtest.Cluster, schema string, options *keyrack.Options, show func(*pgstore.Store)) (
	instance deployment.InProcess, end func() error, err error,
) {
	end = func() error { return nil }
	config, err := pgxpool.ParseConfig(c.Socket("pool_max_conns=3"))
	if err != nil {
		return instance, end, err
	}
	w := &wires{}
	config.ConnConfig.DialFunc = w.dial
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return instance, end, err
	}
	s, err := pgstore.New(ctx, pool, &pgstore.Options{Schema: schema, Poll: 100 * time.Millisecond})
	if err != nil {
		pool.Close()
		return instance, end, err
	}
	rack, err := keyrack.Open(ctx, s, options)
	end = func() error {
		if rack != nil {
			_ = rack.Close()
		}
		err := s.Close()
		pool.Close()
		return err
	}
	if err != nil {
		return instance, end, err
	}
	show(s)
	return deployment.InProcess{Rack: rack, Cut: w.cut}, end, nil
}

// wires are the connections of an instance, until they are cut.
type wires struct {
	mu   sync.Mutex
	all  []net.Conn
	down bool
}

var errCut = errors.New("made-up: the wire is cut")

func (w *wires) dial(ctx context.Context, network, address string) (net.Conn, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.down {
		return nil, errCut
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err == nil {
		w.all = append(w.all, conn)
	}
	return conn, err
}

func (w *wires) cut() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.down = true
	for _, conn := range w.all {
		_ = conn.Close()
	}
	return nil
}

// instanceVariable makes this test binary an instance.
const instanceVariable = "KEYRACK_PGSTORE_INSTANCE"

// process is an instance in a process of its own. It is asked by lines on its
// standard input, "deliver N BODY" and "view N", and answers with lines
// "N ANSWER"; what its subscriber hears goes to a pipe that the test reads.
type process struct {
	cmd   *exec.Cmd
	in    io.Writer
	ended chan struct{} // its answers, and what was heard, are all there

	mu      sync.Mutex
	asked   int
	waiting map[int]chan string
	heard   *deployment.Heard
}

var errKilled = errors.New("made-up: the process was killed")

func startProcess(url, schema string, key []byte, heard *deployment.Heard) (_ deployment.Instance, err error) {
	p := &process{cmd: exec.Command(os.Args[0]), ended: make(chan struct{}), waiting: map[int]chan string{}, heard: heard}
	p.cmd.Env = append(os.Environ(), instanceVariable+"="+strings.Join([]string{url, schema, base64.StdEncoding.EncodeToString(key)}, "\n"))
	p.cmd.Stderr = os.Stderr
	if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ready := make(chan struct{})
	go p.listen(out, ready)
	select {
	case <-ready:
		return p, nil
	case <-p.ended:
		return nil, errors.New("the process did not come up")
	}
}

// listen takes in what the process says until it is gone.
func (p *process) listen(out io.Reader, ready chan<- struct{}) {
	defer close(p.ended)
	lines := bufio.NewReader(out)
	for {
		line, err := lines.ReadString('\n')
		if err != nil { // what was cut off was not said
			_ = p.cmd.Wait()
			return
		}
		what, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		switch what {
		case "ready":
			close(ready)
		case "heard":
			var h deployment.Hearing
			if json.Unmarshal([]byte(rest), &h) == nil {
				p.heard.Add(h)
				_, _ = fmt.Fprintln(p.in, "noted")
			}
		default:
			var n int
			if _, err := fmt.Sscan(what, &n); err == nil {
				p.mu.Lock()
				p.waiting[n] <- rest
				p.mu.Unlock()
			}
		}
	}
}

func (p *process) ask(ctx context.Context, verb, argument string) (string, error) {
	answer := make(chan string, 1)
	p.mu.Lock()
	p.asked++
	n := p.asked
	p.waiting[n] = answer
	p.mu.Unlock()
	if _, err := fmt.Fprintln(p.in, verb, n, argument); err != nil {
		return "", err
	}
	select {
	case said := <-answer:
		return said, nil
	case <-p.ended:
		select {
		case said := <-answer:
			return said, nil
		default:
			return "", errKilled
		}
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (p *process) Deliver(ctx context.Context, body []byte) (id store.EntryID, err error) {
	said, err := p.ask(ctx, "deliver", base64.StdEncoding.EncodeToString(body))
	if err == nil {
		err = id.UnmarshalText([]byte(said))
	}
	return id, err
}

func (p *process) View() (view map[string][]byte, err error) {
	said, err := p.ask(context.Background(), "view", "-")
	if err == nil {
		err = json.Unmarshal([]byte(said), &view)
	}
	return view, err
}

func (p *process) Kill() error {
	err := p.cmd.Process.Kill()
	<-p.ended
	return err
}

// instance is what the test binary does where it was started as one.
func instance() int {
	if err := beInstance(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return 1
}

func beInstance() error {
	ctx := context.Background()
	setting := strings.Split(os.Getenv(instanceVariable), "\n") // URL, schema, key
	key, err := base64.StdEncoding.DecodeString(setting[2])
	if err != nil {
		return err
	}
	ring, err := seal.NewRing(key)
	if err != nil {
		return err
	}
	s, err := pgstore.Open(ctx, setting[0], &pgstore.Options{Schema: setting[1], Poll: 100 * time.Millisecond})
	if err != nil {
		return err
	}
	rack, err := keyrack.Open(ctx, s, hasty(ring))
	if err != nil {
		return err
	}
	in := deployment.InProcess{Rack: rack}
	var mu sync.Mutex
	say := func(what any, answer string) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(what, answer)
	}
	// The test has noted it before the subscriber goes on: what another process
	// hears next cannot overtake it.
	noted := make(chan struct{})
	err = rack.Subscribe("storm", func(_ context.Context, e keyrack.Change) error {
		line, err := json.Marshal(deployment.Hearing{ID: e.ID, Integration: e.Integration, Version: e.Version})
		if err == nil {
			say("heard", string(line))
			<-noted
		}
		return err
	}, deployment.Everything())
	if err != nil {
		return err
	}
	say("ready", "")
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		word := strings.Fields(lines.Text())
		switch word[0] {
		case "noted":
			noted <- struct{}{}
		case "deliver":
			go func() {
				body, err := base64.StdEncoding.DecodeString(word[2])
				if err == nil {
					var id store.EntryID
					if id, err = in.Deliver(ctx, body); err == nil {
						say(word[1], id.String())
						return
					}
				}
				say(word[1], "refused")
			}()
		case "view":
			view, _ := in.View()
			text, err := json.Marshal(view)
			if err != nil {
				return err
			}
			say(word[1], string(text))
		}
	}
	return lines.Err() // the test has ended
}
