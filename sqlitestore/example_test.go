package sqlitestore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/sqlitestore"
)

// How does an application keep its hotels over a restart?
func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyrack")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ring, err := seal.NewRing(seal.NewKey()) // keep the key elsewhere than the file
	if err != nil {
		fmt.Println(err)
		return
	}
	for range 2 {
		s, err := sqlitestore.Open(ctx, filepath.Join(dir, "keyrack.db"), nil)
		if err != nil {
			fmt.Println(err)
			return
		}
		rack, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: ring})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(rack.Check("made-up-token").Status)
		_, err = rack.Deliver(ctx, []byte(`{"Action": "IntegrationCreated", "Data": {
			"Integration": {"Id": "9e5e84e9", "Name": "Front desk"},
			"AccessToken": "made-up-token", "IsEnabled": true}}`))
		if err != nil {
			fmt.Println(err)
		}
		rack.Close()
		s.Close()
	}
	// Output:
	// unknown
	// valid
}
