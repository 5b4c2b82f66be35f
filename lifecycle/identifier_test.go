package lifecycle

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestCanonicalID: every spelling of a GUID is one identifier, and everything else stays
// byte for byte.
func TestCanonicalID(t *testing.T) {
	const guid = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01"
	for _, spelled := range []string{
		guid, strings.ToUpper(guid), "{" + guid + "}", "{" + strings.ToUpper(guid) + "}", " " + guid + "\t", "\n{" + guid + "}\r\n",
		strings.ReplaceAll(guid, "-", ""), strings.ToUpper(strings.ReplaceAll(guid, "-", "")), "{" + strings.ReplaceAll(guid, "-", "") + "}",
		"4e1f0c62-5b8d-4C39-9a1e-ab2200f27c01", "\u00a0" + guid,
	} {
		if got := CanonicalID(spelled); got != guid {
			t.Errorf("%q is %q", spelled, got)
		}
	}
	for _, other := range []string{
		"", " ", "a", " a ", "Spa", "{}", "{a}", "{" + guid, guid + "}", "{ " + guid + " }", "{{" + guid + "}}", guid + "0", guid[1:],
		"4e1f0c62-5b8d-4c39-9a1eab2200f27c01-", "4e1f0c625-b8d-4c39-9a1e-ab2200f27c01", strings.Repeat("g", 32), "(" + guid + ")",
		strings.Repeat("-", 36), "4e1f0c62_5b8d_4c39_9a1e_ab2200f27c01", "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c0\u0661",
	} {
		if got := CanonicalID(other); got != other {
			t.Errorf("%q, no GUID, became %q", other, got)
		}
	}
}

// TestCanonicalGUID: whatever byte stands at whatever place, a GUID is canonical if and
// only if it is spelled with dashes and digits in lower case.
func TestCanonicalGUID(t *testing.T) {
	const guid = "4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01"
	for place := range len(guid) {
		for c := range 256 {
			b := []byte(guid)
			b[place] = byte(c)
			want := strings.ContainsRune("0123456789abcdef", rune(c))
			if isDash(place) {
				want = c == '-'
			}
			if isCanonicalGUID(string(b)) != want {
				t.Fatalf("%q: canonical is %v", b, !want)
			}
		}
	}
}

// TestCanonicalIDHoldsStill: the canonical spelling is its own, and costs no memory.
func TestCanonicalIDHoldsStill(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.OneOf(
			rapid.String(),
			rapid.StringMatching(`[ \n]?\{?[0-9a-fA-F]{8}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{4}-?[0-9a-fA-F]{12}\}?[ \n]?`),
		).Draw(t, "id")
		once := CanonicalID(id)
		if twice := CanonicalID(once); twice != once {
			t.Fatalf("%q became %q, and that %q", id, once, twice)
		}
		if CanonicalID(strings.ToUpper(once)) != once && isCanonicalGUID(once) {
			t.Fatalf("%q in capitals is another", once)
		}
	})
	for _, id := range []string{"4e1f0c62-5b8d-4c39-9a1e-ab2200f27c01", "no GUID at all", ""} {
		if n := testing.AllocsPerRun(100, func() { _ = CanonicalID(id) }); n != 0 {
			t.Errorf("%q costs %v allocations", id, n)
		}
	}
}

func FuzzCanonicalID(f *testing.F) {
	f.Add("4E1F0C62-5B8D-4C39-9A1E-AB2200F27C01")
	f.Add(" {4e1f0c625b8d4c399a1eab2200f27c01}\n")
	f.Add("{}")
	f.Fuzz(func(t *testing.T, id string) {
		once := CanonicalID(id)
		switch {
		case CanonicalID(once) != once:
			t.Fatalf("%q becomes %q, which becomes another", id, once)
		case once != id && !isCanonicalGUID(once):
			t.Fatalf("%q, no GUID, became %q", id, once)
		}
	})
}
