package keyrack_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/atrest"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/seal"
)

// How do I replace the key that seals the tokens?
func ExampleOptions_sealer() {
	ctx, s := context.Background(), memstore.New(nil)
	former, next := seal.NewKey(), seal.NewKey() // 32 bytes each, from where your other secrets are
	open := func(keys ...[]byte) (*keyrack.Rack, *seal.Ring) {
		ring, err := seal.NewRing(keys...)
		if err != nil {
			log.Fatal(err)
		}
		rack, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: ring})
		if err != nil {
			log.Fatal(err)
		}
		return rack, ring
	}
	rack, _ := open(former)
	deliver(rack, creation("alps", "a token", lifecycle.Yes))
	rack.Close()

	// First every instance gets both keys. The first one seals, and both open.
	rack, both := open(next, former)
	// Then everything is sealed anew, while deliveries come in.
	if _, err := atrest.Reseal(ctx, s, both); err != nil {
		log.Fatal(err)
	}
	rack.Close()

	// From now on the new key will do. The former one opens older back-ups.
	rack, _ = open(next)
	defer rack.Close()
	_, verdict, err := rack.Token(ctx, integrationID("alps"))
	fmt.Println(verdict.Status, err)
	// Output: valid <nil>
}

// How do several instances work on one store?
func ExampleOpen() {
	ctx, s := context.Background(), memstore.New(nil) // for several processes: pgstore.Open
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		log.Fatal(err)
	}
	open := func() *keyrack.Rack { // the same key and the same options everywhere
		rack, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: ring})
		if err != nil {
			log.Fatal(err)
		}
		return rack
	}
	one, other := open(), open()
	defer one.Close()
	defer other.Close()

	// Any of them takes in webhooks. The others know once they have read the journal.
	deliver(one, creation("alps", "a token", lifecycle.Yes))
	end, err := one.JournalEnd(ctx)
	if err != nil {
		log.Fatal(err)
	}
	for other.SyncStatus().Position < end {
		time.Sleep(time.Millisecond)
	}
	fmt.Println(other.CheckIntegration(integrationID("alps")).Status)
	// Output: valid
}

// How do I erase a hotel?
func ExampleRack_Forget() {
	ctx := context.Background()
	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	deliver(rack, creation("alps", "a token", lifecycle.Yes))

	// The persons in its webhooks alone: the journal stays, its bodies go.
	if _, err := rack.EraseBodies(ctx, integrationID("alps")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(rack.CheckIntegration(integrationID("alps")).Status)

	// All of it: record, tokens, names, journal. It leaves one entry that it was done.
	if _, err := rack.Forget(ctx, integrationID("alps")); err != nil {
		log.Fatal(err)
	}
	fmt.Println(rack.CheckIntegration(integrationID("alps")).Status)
	// Output:
	// valid
	// unknown
}
