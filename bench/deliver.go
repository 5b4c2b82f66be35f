package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
)

// notebook is what one first writes: the body into a struct, into a map, and a copy of it
// kept. It seals nothing, forgets no person, and believes whatever comes.
type notebook struct {
	mu     sync.Mutex
	hotels map[string]hotel
	bodies [1024][]byte
	n      int
}

type hotel struct {
	token   string
	enabled bool
}

func (b *notebook) deliver(body []byte) error {
	var n naive
	if err := json.Unmarshal(body, &n); err != nil {
		return err
	}
	if n.Data.Integration == nil {
		return errors.New("no integration")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hotels[n.Data.Integration.Id]
	switch n.Action {
	case "IntegrationCreated":
		h = hotel{n.Data.AccessToken, *n.Data.IsEnabled}
	case "IntegrationEnabled":
		h.enabled = true
	case "IntegrationDisabled":
		h.enabled = false
	}
	b.hotels[n.Data.Integration.Id] = h
	b.bodies[b.n%len(b.bodies)] = bytes.Clone(body)
	b.n++
	return nil
}

// batch is how many deliveries one turn makes of a way.
const batch = 50

// of returns a way that delivers to integrations of its own, other ones in each turn. With
// a toggle they are created before, while no clock runs.
func of(name string, a lifecycle.Action, deliver func(body []byte) error, right func(n int) error) way {
	next, bodies := 0, make([][]byte, batch)
	return way{name,
		func() error {
			for i := range bodies {
				if a != lifecycle.IntegrationCreated {
					if err := deliver(webhook(lifecycle.IntegrationCreated, next)); err != nil {
						return err
					}
				}
				bodies[i] = webhook(a, next)
				next++
			}
			return nil
		},
		func() error {
			for _, body := range bodies {
				if err := deliver(body); err != nil {
					return err
				}
			}
			return right(next - 1)
		}}
}

// deliveries races a Rack over memory, sealed and journalled, with the notebook: first
// with integrations that are new, then with their toggles.
func deliveries(d time.Duration) (tables []table, err error) {
	for _, c := range []struct {
		title  string
		action lifecycle.Action
		status lifecycle.Status
	}{
		{"Delivery of an IntegrationCreated", lifecycle.IntegrationCreated, lifecycle.Valid},
		{"Delivery of a toggle", lifecycle.IntegrationDisabled, lifecycle.Invalid},
	} {
		rack, err := openRack()
		if err != nil {
			return nil, err
		}
		book := &notebook{hotels: map[string]hotel{}}
		rows, err := race(d, batch, []way{
			of("encoding/json, a map, a copy", c.action, book.deliver, func(n int) error {
				if book.hotels[hotelID(n)] != (hotel{tokenText(n), c.status == lifecycle.Valid}) {
					return errors.New("another hotel is in the map")
				}
				return nil
			}),
			of("keyrack", c.action, func(body []byte) error {
				_, err := rack.Deliver(context.Background(), body)
				return err
			}, func(n int) error {
				if v := rack.Check(tokenText(n)); v.Status != c.status {
					return fmt.Errorf("the token is %v", v)
				}
				return nil
			}),
		})
		err = errors.Join(err, rack.Close())
		if err != nil {
			return nil, err
		}
		tables = append(tables, table{c.title, "In memory. Keyrack checks the body, folds it into a record, works out what is certain, seals body and token, and journals.", rows})
	}
	return tables, nil
}

// webhookSecret is the secret in the URL of the webhook, for this process alone.
const webhookSecret = "a-secret-of-the-benchmark"

// overHTTP races the webhook's handler with one that only reads the body, over loopback
// with keep-alive.
func overHTTP(d time.Duration) (table, error) {
	rack, err := openRack()
	if err != nil {
		return table{}, err
	}
	defer rack.Close()
	handler, err := rack.Handler([]keyrack.Secret{{Name: "bench", Value: keyrack.NewToken(webhookSecret)}}, nil)
	if err != nil {
		return table{}, err
	}
	empty := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		_, _ = io.Copy(io.Discard, req.Body)
		w.WriteHeader(http.StatusNoContent)
	})
	book := &notebook{hotels: map[string]hotel{}}
	own := http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err == nil {
			err = book.deliver(body)
		}
		if err != nil {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
	var ways []way
	for _, s := range []struct {
		name    string
		handler http.Handler
		right   func(n int) error
	}{
		{"an empty handler", empty, func(int) error { return nil }},
		{"encoding/json, a map, a copy", own, func(n int) error {
			book.mu.Lock()
			defer book.mu.Unlock()
			if !book.hotels[hotelID(n)].enabled {
				return errors.New("the hotel is not in the map")
			}
			return nil
		}},
		{"keyrack", handler, func(n int) error {
			if v := rack.Check(tokenText(n)); v.Status != lifecycle.Valid {
				return fmt.Errorf("the token is %v", v)
			}
			return nil
		}},
	} {
		server := httptest.NewServer(s.handler)
		defer server.Close()
		client := server.Client()
		ways = append(ways, of(s.name, lifecycle.IntegrationCreated, func(body []byte) error {
			answer, err := client.Post(server.URL+keyrack.DefaultPath+"?Token="+webhookSecret, "application/json", bytes.NewReader(body))
			if err != nil {
				return err
			}
			defer answer.Body.Close()
			if _, err := io.Copy(io.Discard, answer.Body); err != nil || answer.StatusCode != http.StatusNoContent {
				return fmt.Errorf("answered %d: %v", answer.StatusCode, err)
			}
			return nil
		}, s.right))
	}
	rows, err := race(d, batch, ways)
	return table{"HTTP over loopback", "Client and server in one process: the client's share is in all of them. `go test -run '^$' -bench Handler .` measures the server's CPU alone.", rows}, err
}
