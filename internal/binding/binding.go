// Package binding seals values for the one place where they may lie: a value that is
// copied anywhere else does not open.
//
//	0x02 ‖ what the sealer returns for the address of the value
//
// The address says the kind, the owner and, of a token, the digest. Former versions
// sealed for the owner alone, without the form byte. Such values still open, but somebody
// who can write to the store could exchange them among those of one owner, and owners may
// share a name. So what comes out is compared with what the address promises: a token
// must have its digest, and a body must be JSON.
package binding

import (
	"bytes"
	"errors"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/seal"
	"github.com/keyrack-dev/keyrack/store"
)

// ErrMoved: the value opens, and is not what belongs at its address. Somebody has copied
// another one there.
var ErrMoved = errors.New("keyrack: another sealed value lies in its place")

// form is the first byte of what Seal returns. The values of a Ring begin with 1; those
// of an application's own sealer may begin with any byte.
const form = 2

// Seal seals the plain text for a place in the store.
func Seal(sealer seal.Sealer, ref store.Ref, plain []byte) ([]byte, error) {
	sealed, err := sealer.Seal(plain, address(ref))
	if err != nil {
		return nil, err
	}
	value := make([]byte, 1, 1+len(sealed))
	value[0] = form
	return append(value, sealed...), nil
}

// Open returns the plain text of a value that was sealed for a place in the store, or by a
// former version for its owner. For a token, OpenToken is needed. The error is ErrMoved or
// the sealer's.
func Open(sealer seal.Sealer, ref store.Ref, value []byte) ([]byte, error) {
	if inForm(value) {
		plain, err := sealer.Open(value[1:], address(ref))
		if err == nil {
			return plain, nil
		}
		if former, again := openFormer(sealer, ref, value); again == nil || errors.Is(again, ErrMoved) {
			return former, again // of a sealer whose values begin as ours do
		}
		return nil, err
	}
	return openFormer(sealer, ref, value)
}

func openFormer(sealer seal.Sealer, ref store.Ref, value []byte) ([]byte, error) {
	plain, err := sealer.Open(value, owner(ref))
	if err != nil {
		return nil, err
	}
	if ref.Kind() == store.RefBody && !isJSON(plain) {
		return nil, ErrMoved
	}
	return plain, nil
}

// isJSON reports whether a text begins as an object or an array does. A token that was
// sealed for an integration whose id looks like an entry's does not.
func isJSON(text []byte) bool {
	text = bytes.TrimLeft(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf")), " \t\r\n")
	return len(text) > 0 && (text[0] == '{' || text[0] == '[')
}

// Digest returns the digest of a token. The Sum of a Digester is one.
type Digest func(token string) lifecycle.Digest

// OpenToken returns the token at a place in the store, in clear. The error is ErrMoved if
// it does not have the digest under which it lies, or the sealer's.
func OpenToken(sealer seal.Sealer, digest Digest, ref store.Ref, value []byte) ([]byte, error) {
	plain, err := Open(sealer, ref, value)
	if err != nil {
		return nil, err
	}
	if digest(string(plain)) != ref.Digest {
		return nil, ErrMoved
	}
	return plain, nil
}

// Former reports whether a former version sealed a value.
func Former(value []byte) bool { return !inForm(value) }

// Stale reports whether a value should be sealed again: a newer key has replaced its own,
// or a former version sealed it.
func Stale(sealer seal.Sealer, value []byte) bool {
	return !inForm(value) || sealer.Stale(value[1:])
}

func inForm(value []byte) bool { return len(value) > 0 && value[0] == form }

// address returns what a value is sealed for. No owner has a zero byte, so no address of
// one kind is that of another kind, or what a former version sealed for.
func address(ref store.Ref) string {
	switch ref.Kind() {
	case store.RefToken:
		return "keyrack token\x00" + ref.Integration + "\x00" + string(ref.Digest[:])
	case store.RefBody:
		return "keyrack body\x00" + ref.Entry.String()
	}
	return "keyrack value\x00" + ref.Name
}

// owner returns what a former version sealed a value for.
func owner(ref store.Ref) string {
	switch ref.Kind() {
	case store.RefToken:
		return ref.Integration
	case store.RefBody:
		return ref.Entry.String()
	}
	return ref.Name
}
