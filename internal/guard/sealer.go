package guard

import "github.com/keyrack-dev/keyrack/seal"

// Sealer returns s as a guarded sealer. It matters most here, because a sealer is
// given tokens in clear.
func Sealer(s seal.Sealer) seal.Sealer { return guardedSealer{s} }

type guardedSealer struct{ seal.Sealer }

func (g guardedSealer) Seal(plain []byte, owner string) ([]byte, error) {
	return sealing(func() ([]byte, error) { return g.Sealer.Seal(plain, owner) })
}

func (g guardedSealer) Open(sealed []byte, owner string) ([]byte, error) {
	return sealing(func() ([]byte, error) { return g.Sealer.Open(sealed, owner) })
}

func sealing(do func() ([]byte, error)) (out []byte, err error) {
	if v := Panicked(func() { out, err = do() }); v != nil {
		return nil, panicked("sealer", v)
	}
	return out, Foreign("sealer", err)
}
