package atrest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

const deletion = `{"Action":"IntegrationDeleted","Data":{"Integration":{"Id":"%s"}}}`

// How do I see to what a subscription's handler failed at? Any program that can open
// the store can do it, beside the application.
func ExampleDeadLetters() {
	ctx, store := context.Background(), memstore.New(nil)
	rack, err := keyrack.Open(ctx, store, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	next := make(chan bool)
	err = rack.Subscribe("billing", func(_ context.Context, e keyrack.Change) error {
		if e.Integration == "00000000-0000-4000-8000-000000000001" {
			return errors.New("unknown hotel")
		}
		close(next)
		return nil
	}, &keyrack.SubscribeOptions{Kinds: []keyrack.ChangeKind{keyrack.ChangeAny}, FromStart: true, Attempts: 1})
	if err != nil {
		log.Fatal(err)
	}
	for _, id := range []string{"00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"} {
		if _, err := rack.Deliver(ctx, fmt.Appendf(nil, deletion, id)); err != nil {
			log.Fatal(err)
		}
	}
	<-next

	letters, err := atrest.DeadLetters(ctx, store, "billing")
	if err != nil {
		log.Fatal(err)
	}
	for _, letter := range letters {
		fmt.Println(letter.Integration, "after attempt", letter.Attempts)
	}
	if err := atrest.DiscardDeadLetters(ctx, store, "billing", letters...); err != nil {
		log.Fatal(err)
	}
	// Output:
	// 00000000-0000-4000-8000-000000000001 after attempt 1
}

// How do I move to another kind of store, and make sure that it is sound? After an upgrade
// the same examination says whether the new version reads all that there is.
func ExampleRestore() {
	ctx, from, to := context.Background(), memstore.New(nil), memstore.New(nil)
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	rack, err := keyrack.Open(ctx, from, &keyrack.Options{Sealer: ring})
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	if _, err := rack.Deliver(ctx, fmt.Appendf(nil, deletion, "00000000-0000-4000-8000-000000000001")); err != nil {
		log.Fatal(err)
	}

	var lines bytes.Buffer // a file that only its owner can read: tokens are in it, sealed
	exported, err := atrest.Export(ctx, from, &lines, true)
	fmt.Println("exported", exported, err)
	for one, err := range atrest.Restore(ctx, to, ring, &lines) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("restored", one.Integration, one.Refused)
	}
	for finding, err := range atrest.Examine(ctx, to, ring) {
		fmt.Println("not sound:", finding, err)
	}
	// Output:
	// exported 1 <nil>
	// restored 00000000-0000-4000-8000-000000000001
}
