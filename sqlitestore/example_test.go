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

// How do I back up, and go back to it?
func ExampleStore_Backup() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "keyrack")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	s, err := sqlitestore.Open(ctx, filepath.Join(dir, "keyrack.db"), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()
	ring, err := seal.NewRing(seal.NewKey())
	if err != nil {
		fmt.Println(err)
		return
	}
	rack, err := keyrack.Open(ctx, s, &keyrack.Options{Sealer: ring})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer rack.Close()
	const created = `{"Action": "IntegrationCreated", "Data": {"Integration": {"Id": "9e5e84e9", "Name": "Front desk"},
		"AccessToken": "made-up-token", "IsEnabled": true}}`
	if _, err := rack.Deliver(ctx, []byte(created)); err != nil {
		fmt.Println(err)
	}

	// A copy while the store works, to be kept apart from the sealing key.
	copied := filepath.Join(dir, "copy.db")
	if err := s.Backup(ctx, copied); err != nil {
		fmt.Println(err)
	}

	// To go back is to open the copy, with the same key.
	restored, err := sqlitestore.Open(ctx, copied, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer restored.Close()
	again, err := keyrack.Open(ctx, restored, &keyrack.Options{Sealer: ring})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer again.Close()
	fmt.Println(again.Check("made-up-token").Status)
	// Output: valid
}
