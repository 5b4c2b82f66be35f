package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// How do I mount it in a server that I have already?
func ExampleRack_Handler() {
	rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	secret := keyrack.NewToken("made up for this example") // from where your other secrets are

	// Mews also has webhooks that are not about integrations. They come to the same URL.
	general := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		fmt.Println("a General Webhook:", string(body), err)
	})
	webhooks, err := rack.Handler(
		[]keyrack.Secret{{Name: "2026", Value: secret}},
		&keyrack.HandlerOptions{Path: "/hooks/mews", General: general},
	)
	if err != nil {
		log.Fatal(err)
	}
	mux := http.NewServeMux() // your own
	mux.Handle("/hooks/mews", webhooks)
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "the application itself")
	})

	mews := mewstest.Sender{Receiver: mux, URL: "/hooks/mews", Secret: secret}
	fmt.Println(mews.Post(context.Background(), creation("alps", "a token", lifecycle.Yes)))
	fmt.Println(mews.Post(context.Background(), []byte(`{"EnterpriseId":"851df8c8","Events":[]}`)))
	fmt.Println(rack.CheckIntegration(integrationID("alps")).Status)
	// Output:
	// 204
	// a General Webhook: {"EnterpriseId":"851df8c8","Events":[]} <nil>
	// 200
	// valid
}

// How do I replace the webhook's secret without losing a delivery?
func ExampleHandler_Secrets() {
	rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	next, former := keyrack.NewToken("the next one"), keyrack.NewToken("the former one")

	// First accept both. Then tell Mews the new URL.
	webhooks, err := rack.Handler([]keyrack.Secret{
		{Name: "2026-12", Value: next},
		{Name: "2025-06", Value: former},
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	mews := mewstest.Sender{Receiver: webhooks, URL: keyrack.DefaultPath, Secret: next}
	fmt.Println(mews.Post(context.Background(), creation("alps", "a token", lifecycle.Yes)))

	// Take the former one away once nothing has come with it for some days.
	for _, secret := range webhooks.Secrets() {
		fmt.Println(secret.Name, "was ever used:", !secret.LastSeen.IsZero())
	}
	// Output:
	// 204
	// 2026-12 was ever used: true
	// 2025-06 was ever used: false
}

// Serve takes in webhooks until ctx ends, and then ends everything in order: no new
// request, the requests under way, the Rack, the store.
func Serve(ctx context.Context, listener net.Listener, secret keyrack.Secret) (err error) {
	s := memstore.New(nil) // of a store that has to be closed: defer s.Close()
	rack, err := keyrack.Open(ctx, s, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rack.Close()) }() // runs before what was deferred above

	webhooks, err := rack.Handler([]keyrack.Secret{secret}, nil)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: webhooks, ReadTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ending, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return server.Shutdown(ending) // answers what is under way
}

// In which order do I shut down?
func ExampleRack_Close() {
	ctx, interrupt := context.WithCancel(context.Background()) // signal.NotifyContext in a program
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	secret := keyrack.Secret{Name: "2026", Value: keyrack.NewToken("made up for this example")}
	ended := make(chan error)
	go func() { ended <- Serve(ctx, listener, secret) }()

	mews := mewstest.Sender{URL: "http://" + listener.Addr().String() + keyrack.DefaultPath, Secret: secret.Value}
	fmt.Println(mews.Post(ctx, creation("alps", "a token", lifecycle.Yes)))
	interrupt()
	fmt.Println(<-ended)
	// Output:
	// 204
	// <nil>
}
