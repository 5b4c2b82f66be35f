package seal_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
)

func ring(t interface{ Fatal(...any) }, keys ...[]byte) *seal.Ring {
	r, err := seal.NewRing(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsSealedOpensForItsOwnerAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := ring(t, seal.NewKey())
		plain := rapid.SliceOf(rapid.Byte()).Draw(t, "plain")
		owner := rapid.String().Draw(t, "owner")
		sealed, err := r.Seal(plain, owner)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := r.Open(sealed, owner); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("Open: %v", err)
		}
		if _, err := r.Open(sealed, owner+"x"); !errors.Is(err, seal.ErrOpen) {
			t.Fatalf("opened for another owner: %v", err)
		}
		if _, err := ring(t, seal.NewKey()).Open(sealed, owner); !errors.Is(err, seal.ErrNoKey) {
			t.Fatalf("opened under another key: %v", err)
		}
		i := rapid.IntRange(0, len(sealed)-1).Draw(t, "damaged byte")
		sealed[i] ^= byte(rapid.IntRange(1, 255).Draw(t, "damage"))
		if _, err := r.Open(sealed, owner); !errors.Is(err, seal.ErrOpen) && !errors.Is(err, seal.ErrNoKey) {
			t.Fatalf("opened damaged: %v", err)
		}
	})
}

func TestAnOldKeyOpensAndIsStale(t *testing.T) {
	old, young := seal.NewKey(), seal.NewKey()
	sealed, _ := ring(t, old).Seal([]byte("made-up"), "owner")
	both := ring(t, young, old)
	if plain, err := both.Open(sealed, "owner"); err != nil || string(plain) != "made-up" {
		t.Fatalf("Open: %q, %v", plain, err)
	}
	if !both.Stale(sealed) {
		t.Error("sealed under the old key, and not stale")
	}
	again, _ := both.Seal([]byte("made-up"), "owner")
	if both.Stale(again) {
		t.Error("sealed under the first key, and stale")
	}
	if _, err := ring(t, young).Open(again, "owner"); err != nil {
		t.Errorf("the new key alone does not open: %v", err)
	}
}

func TestParseRing(t *testing.T) {
	key := bytes.Repeat([]byte{0xfb}, seal.KeySize)
	for _, text := range []string{
		base64.StdEncoding.EncodeToString(key), base64.RawURLEncoding.EncodeToString(key),
		"\n" + base64.URLEncoding.EncodeToString(key) + ",\n" + base64.StdEncoding.EncodeToString(seal.NewKey()) + "\n",
	} {
		if _, err := seal.ParseRing(text); err != nil {
			t.Errorf("ParseRing: %v", err)
		}
	}
	for _, text := range []string{"", "short", "not*base64*not*base64*not*base64*not*base64*", base64.StdEncoding.EncodeToString(key[1:])} {
		_, err := seal.ParseRing(text)
		if !errors.Is(err, seal.ErrKeySize) {
			t.Errorf("ParseRing of a wrong key: %v", err)
		}
		if text != "" && strings.Contains(err.Error(), text) {
			t.Error("the error quotes the key")
		}
	}
}

func TestDigests(t *testing.T) {
	a, _ := seal.NewDigester(seal.NewKey())
	b, _ := seal.NewDigester(seal.NewKey())
	long := strings.Repeat("x", 1000)
	for _, token := range []string{"made-up", long} {
		digest := a.Sum(token)
		switch {
		case digest != a.Sum(token):
			t.Error("one token, two digests")
		case a.Sum(token) == a.Sum(token+"x"):
			t.Error("two tokens, one digest")
		case a.Sum(token) == b.Sum(token):
			t.Error("the digest does not depend on the key")
		}
	}
	if a.Sum("") != (lifecycle.Digest{}) {
		t.Error("no token has a digest")
	}
	if n := testing.AllocsPerRun(100, func() { a.Sum("9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF") }); n != 0 {
		t.Errorf("%v allocations a digest", n)
	}
}

func TestNoFormattingShowsAKey(t *testing.T) {
	key := []byte("canary-canary-canary-canary-keys")
	r := ring(t, key)
	d, _ := seal.NewDigester(key)
	for _, v := range []any{r, *r, d, &d, struct{ D seal.Digester }{d}, struct{ r *seal.Ring }{r}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
			s := fmt.Sprintf(verb, v)
			for _, shown := range []string{"canary", fmt.Sprintf("%x", key[:6]), "99 97 110 97 114 121", "0x63, 0x61, 0x6e"} {
				if strings.Contains(s, shown) {
					t.Errorf("%s of a %T shows the key", verb, v)
				}
			}
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	r := seal.Ephemeral()
	token := []byte("9E5E84E9974D4F169662AB2200F27CB1-00B343A0DDA725CACAC028E38E3EABF")
	sealed, _ := r.Seal(token, "9e5e84e9-974d-4f16-9662-ab2200f27cb1")
	b.Run("seal", func(b *testing.B) {
		for b.Loop() {
			if s, err := r.Seal(token, "9e5e84e9-974d-4f16-9662-ab2200f27cb1"); err != nil || len(s) != len(sealed) {
				b.Fatal(err)
			}
		}
	})
	b.Run("open", func(b *testing.B) {
		for b.Loop() {
			if p, err := r.Open(sealed, "9e5e84e9-974d-4f16-9662-ab2200f27cb1"); err != nil || !bytes.Equal(p, token) {
				b.Fatal(err)
			}
		}
	})
}

var _ seal.Sealer = (*seal.Ring)(nil)
var _ lifecycle.Digest = seal.Digester{}.Sum("")
