package pgstore_test

import (
	"os"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// Where the application's database has another level of isolation than read
// committed, transactions give way to each other: they are made again.
func TestStoreWhereTransactionsGiveWay(t *testing.T) {
	for _, level := range []string{"serializable", "repeatable read"} {
		t.Run(level, func(t *testing.T) {
			if testkit.Race {
				t.Log("tested without the race detector: other answers of the server, and the same code")
				return
			}
			if level != "serializable" && os.Getenv("KEYRACK_LONG") == "" {
				t.Log("tested where KEYRACK_LONG is set")
				return
			}
			h := harness(`options='-c default_transaction_isolation=` + strings.ReplaceAll(level, " ", `\\ `) + `'`)
			h.Histories = cycles(10, 1000)
			h.Run(t)
		})
	}
}
