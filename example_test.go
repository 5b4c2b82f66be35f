package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"sync"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/store"
)

// Workers runs work for each hotel for as long as its token may be used, until ctx ends. It
// follows the journal from after a position.
func Workers(ctx context.Context, rack *keyrack.Rack, after store.Position, work func(ctx context.Context, id string)) error {
	var mu sync.Mutex
	var all sync.WaitGroup
	defer all.Wait()
	running := map[string]bool{}
	start := func(id string) {
		mu.Lock()
		defer mu.Unlock()
		if running[id] || !rack.CheckIntegration(id).Active() {
			return
		}
		running[id] = true
		all.Go(func() {
			for again := true; again; {
				hotel, stop := rack.While(ctx, id)
				work(hotel, id)
				stop()
				mu.Lock() // it may have become valid again since
				again = ctx.Err() == nil && rack.CheckIntegration(id).Active()
				running[id] = again
				mu.Unlock()
			}
		})
	}
	for hotel := range rack.Summaries() {
		start(hotel.Integration.ID)
	}
	for change, err := range rack.Changes(ctx, after) {
		if err != nil {
			return err
		}
		start(change.Integration)
	}
	return nil
}

// A worker for each hotel, which comes and goes with it.
func ExampleRack_While() {
	ctx, cancel := context.WithCancel(context.Background())
	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	began, ended := make(chan string), make(chan error)
	work := func(ctx context.Context, id string) {
		began <- id
		<-ctx.Done() // here it calls Mews, with ctx
		ended <- context.Cause(ctx)
	}
	done := make(chan error)
	go func() { done <- Workers(ctx, rack, 0, work) }()

	deliver(rack, creation("alps", "a token", lifecycle.Yes))
	fmt.Println("work for", <-began == integrationID("alps"))
	deliver(rack, webhook(lifecycle.IntegrationDisabled, "alps", nil))
	if end, ok := errors.AsType[*keyrack.NotActiveError](<-ended); ok {
		fmt.Println("ended:", end.Verdict.Status, end.Verdict.Reason)
	}
	cancel()
	fmt.Println(<-done)
	// Output:
	// work for true
	// ended: invalid disabled
	// <nil>
}

// deliver takes in a webhook, as the handler does.
func deliver(rack *keyrack.Rack, body []byte) {
	if _, err := rack.Deliver(context.Background(), body); err != nil {
		log.Fatal(err)
	}
}
