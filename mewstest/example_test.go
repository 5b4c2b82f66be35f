package mewstest_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/mewstest"
)

// The test of the package's documentation: half a year of a flaky Mews, in a moment.
func TestKeys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		keys := newNaive() // yours: an http.Handler that knows which tokens work
		mews := mewstest.New(&mewstest.Options{Seed: 1, Receiver: keys, Faults: mewstest.Flaky()})
		hotel := mews.Connect("Alpenrose")
		mews.NeverSilentlyWrong(t, keys.Status, time.Hour)
		time.Sleep(24 * time.Hour)
		hotel.Disable()
		mews.EventuallyRight(t, keys.Status, 24*time.Hour)
	})
}

// An application is told what happens at a hotel, and asked what it believes.
func Example() {
	keys := newNaive() // yours: an http.Handler that knows which tokens work
	mews := mewstest.New(&mewstest.Options{Seed: 1, Receiver: keys, Lag: mewstest.AtOnce})

	hotel := mews.Connect("Alpenrose")
	_ = mews.Settle(context.Background())
	fmt.Println(hotel.Works(), keys.Status(hotel.Token()))

	former := hotel.Token()
	hotel.RotateKey()
	_ = mews.Settle(context.Background())
	fmt.Println(keys.Status(former), keys.Status(hotel.Token()))
	// Output:
	// true valid
	// invalid valid
}

// A script says itself what arrives, when, and in which order.
func Example_script() {
	keys := newNaive()
	mews := mewstest.New(&mewstest.Options{Receiver: keys, Manual: true})
	hotel := mews.Connect("Alpenrose")
	hotel.Latest().Deliver()

	off, on := hotel.Disable(), hotel.Enable()
	on.Deliver()
	off.Deliver() // the older one, later
	for d := range mews.Differences(keys.Status) {
		fmt.Println(d.Works, d.Said, d.Stance)
	}

	fmt.Println(on.Deliver()) // once more, byte for byte
	// Output:
	// true invalid denied
	// 204
}

// The Connector API answers by the truth, whatever the receiver was told.
func ExampleConnector() {
	mews := mewstest.New(&mewstest.Options{Seed: 1})
	hotel := mews.Connect("Alpenrose")
	client := &http.Client{Transport: mews.Connector()}
	ask := func() {
		body := fmt.Sprintf(`{"ClientToken":%q,"AccessToken":%q,"Client":"Test 1.0"}`,
			mews.Connector().ClientToken().Reveal(), hotel.Token())
		res, err := client.Post("https://api.mews-demo.com/api/connector/v1/configuration/get",
			"application/json", strings.NewReader(body))
		if err != nil {
			fmt.Println(err)
			return
		}
		defer res.Body.Close()
		fmt.Println(res.Status)
	}
	ask()
	hotel.DisableInMews() // no webhook reports it
	ask()
	hotel.EnableInMews()
	mews.Connector().Fail(mewstest.Trouble{Status: http.StatusTooManyRequests, RetryAfter: time.Minute})
	ask()
	ask()
	// Output:
	// 200 OK
	// 401 Unauthorized
	// 429 Too Many Requests
	// 200 OK
}

// One webhook to a receiver of any kind, as Mews would send it.
func ExampleSender() {
	sender := mewstest.Sender{Receiver: newNaive(), URL: "/webhooks/mews", Secret: lifecycle.NewToken("secret")}
	answer := sender.Post(context.Background(), []byte(`{"Action":"IntegrationEnabled","Data":{"Integration":{"Id":"1"}}}`))
	fmt.Println(answer, answer.Delivered())
	// Output: 204 true
}
