package keyrack_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/connector"
	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/memstore"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// How do I call Mews with the right token?
func ExampleRack_Transport() {
	ctx := context.Background()
	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	mews := mewstest.New(nil) // a Mews for tests: leave it out, and give nil below
	hotel := mews.Connect("Alpenrose")
	deliver(rack, hotel.Latest().Body())

	transport, err := rack.Transport(connector.Production, mews.Connector())
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: transport, Timeout: 30 * time.Second}
	call := func(id string) {
		// The body has everything but the AccessToken, which the Transport puts in.
		body := fmt.Sprintf(`{"ClientToken": %q, "Client": "Acme Spa 2.1"}`, mews.Connector().ClientToken().Reveal())
		req, err := http.NewRequestWithContext(keyrack.WithIntegration(ctx, id), http.MethodPost,
			connector.Production+"/api/connector/v1/reservations/getAll", strings.NewReader(body))
		if err != nil {
			log.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		answer, err := client.Do(req)
		if refused, ok := errors.AsType[*keyrack.NotActiveError](err); ok {
			fmt.Println("not called:", refused.Verdict.Status, refused.Verdict.Reason)
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		defer answer.Body.Close()
		fmt.Println(answer.Status)
	}
	call(hotel.ID())
	deliver(rack, hotel.Disable().Body())
	call(hotel.ID())
	// Output:
	// 200 OK
	// not called: invalid disabled
}

// How do I hear of what changes, and lose nothing?
func ExampleRack_Subscribe() {
	rack, err := keyrack.Open(context.Background(), memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	told := make(chan string)
	err = rack.Subscribe("billing", func(ctx context.Context, c keyrack.Change) error {
		// Called again, with the same c.ID, until it returns nil.
		told <- fmt.Sprintf("%v: %v (%v)", c.Evidence.Action, c.Is, c.Reason)
		return nil
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	deliver(rack, creation("alps", "a token", lifecycle.Yes))
	fmt.Println(<-told)
	deliver(rack, webhook(lifecycle.IntegrationDeleted, "alps", nil))
	fmt.Println(<-told)
	// Output:
	// IntegrationCreated: valid (live)
	// IntegrationDeleted: invalid (deleted)
}

// How do I bring in hotels that were connected before?
func ExampleRack_Import() {
	ctx := context.Background()
	rack, err := keyrack.Open(ctx, memstore.New(nil), nil)
	if err != nil {
		log.Fatal(err)
	}
	defer rack.Close()
	for _, row := range []struct{ id, token, tenant string }{ // your own table
		{"9e5e84e9-974d-4f16-9662-ab2200f27cb1", "a-made-up-token", "4711"},
		{"", "another-one", "4712"}, // its integration is not known
	} {
		labels := map[string]string{"tenant": row.tenant}
		if row.id == "" {
			hotel, err := rack.Connect(ctx, keyrack.Connection{Token: keyrack.NewToken(row.token), Labels: labels})
			fmt.Println(row.tenant, hotel.Verdict.Status, "nameless:", hotel.Nameless, err)
			continue
		}
		receipt, err := rack.Import(ctx, keyrack.Import{
			Integration: lifecycle.Named{ID: row.id}, Token: keyrack.NewToken(row.token), Labels: labels,
		})
		fmt.Println(row.tenant, rack.CheckIntegration(row.id).Status, receipt.Decision.Outcome, err)
	}
	fmt.Println(len(rack.ByLabel("tenant", "4711")))
	// Output:
	// 4711 valid applied <nil>
	// 4712 valid nameless: true <nil>
	// 1
}

// How do I test my application with it?
func TestHotelsComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rack, err := keyrack.Open(t.Context(), memstore.New(nil), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer rack.Close()
		secret := keyrack.NewToken("made up")
		webhooks, err := rack.Handler([]keyrack.Secret{{Name: "test", Value: secret}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		mews := mewstest.New(&mewstest.Options{Seed: 1, Receiver: webhooks, Secret: secret})
		hotel := mews.Connect("Alpenrose")
		believes := func(token string) lifecycle.Status { return rack.Check(token).Status }
		mews.NeverSilentlyWrong(t, believes, time.Hour)
		time.Sleep(24 * time.Hour) // a day passes in a moment
		hotel.Disable()
		mews.EventuallyRight(t, believes, time.Hour)
	})
}
