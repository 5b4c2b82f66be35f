package events_test

import (
	"errors"
	"fmt"

	"github.com/keyrack-dev/keyrack/events"
)

// What has happened, and to whom?
func ExampleDecode() {
	e, err := events.Decode([]byte(`{
		"Action": "IntegrationApiKeyCreated",
		"Data": {
			"Integration": {"Id": "9e5e84e9-974d-4f16-9662-ab2200f27cb1", "Name": "WebhookTEST"},
			"ApiKey": "5C2D1F0E77B84A53A9D3B1F4C6E80912-11C454B1EEB836DBDBD139F49F4FBC0"
		}
	}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e.Action, "of", e.Integration.Name)
	fmt.Println("the key is", e.ApiKey)
	fmt.Println("and in clear", len(e.ApiKey.Reveal()), "bytes long")
	// Output:
	// IntegrationApiKeyCreated of WebhookTEST
	// the key is [token]
	// and in clear 64 bytes long
}

// How does a receiver answer a body that it cannot use?
func ExampleError() {
	for _, body := range []string{
		`{"Action": "IntegrationEnabled", "Data": {"Integration": {"Id": 17}}}`,
		`{"Action": "IntegrationEnabled", "Data": {"integration": {"Id": "17"}}}`,
	} {
		_, err := events.Decode([]byte(body))
		switch {
		case errors.Is(err, events.ErrSyntax):
			fmt.Println(400, err)
		case errors.Is(err, events.ErrShape):
			fmt.Println(204, err)
		}
	}
	// Output:
	// 204 events: JSON of an unexpected shape: not a string at /Data/Integration/Id, offset 64
	// 400 events: not strict JSON: a required name in the wrong case at /Data/Integration, offset 42
}

// How is the body of an unknown action stored without personal data?
func ExampleWithoutRequestor() {
	body, err := events.WithoutRequestor([]byte(`{"Action":"IntegrationSuspended","Data":{"Requestor":{"Name":"R. Quill"}}}`))
	fmt.Println(string(body), err)
	// Output: {"Action":"IntegrationSuspended","Data":{"Requestor":null}} <nil>
}
