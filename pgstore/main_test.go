package pgstore_test

import (
	"os"
	"testing"
)

// childVariable makes this test binary what a test starts in order to kill it.
const childVariable = "KEYRACK_PGSTORE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(child())
	}
	if os.Getenv(instanceVariable) != "" {
		os.Exit(instance())
	}
	if os.Getenv(keeperVariable) != "" {
		os.Exit(keeper())
	}
	os.Exit(m.Run())
}
