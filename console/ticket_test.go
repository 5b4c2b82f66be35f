package console_test

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"

	"github.com/keyrack-dev/keyrack/console"
)

// TestTicket: a ticket holds no token in clear, opens nowhere but where it was made, and a
// spoilt one does nothing.
func TestTicket(t *testing.T) {
	acting(t, everything, func(d desk) {
		said := d.confirmation(console.ActImport)
		plain, err := base64.RawURLEncoding.DecodeString(said.Get("ticket"))
		if err != nil || strings.Contains(string(plain), tokenCanary) || !strings.Contains(string(plain), id(1, 1)) {
			t.Errorf("the ticket is %s, %v", plain, err)
		}
		o := console.Options{}
		everything(&o)
		another := console.New(d.rack, &o)
		defer another.Close()
		entries := len(d.entries(1))
		if w := (desk{t, d.rack, another}).do(http.MethodPost, "/do", said, nil); w.Code != http.StatusConflict {
			t.Errorf("at another handler: %d", w.Code)
		}
		for _, bad := range []string{"", "x", said.Get("ticket")[2:], base64.RawURLEncoding.EncodeToString([]byte(`{"Do":"probe"}`)), base64.RawURLEncoding.EncodeToString([]byte(`{"Do":"reboot","Entry":"018f0000-0000-7000-8000-000000000001"}`))} {
			said.Set("ticket", bad)
			if w := d.do(http.MethodPost, "/do", said, nil); w.Code != http.StatusConflict {
				t.Errorf("%q: %d", bad, w.Code)
			}
		}
		if n := len(d.entries(1)); n != entries {
			t.Errorf("%d entries, want %d", n, entries)
		}
	})
}
