package storetest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// durablePromises are those about stores that outlive their process, are shared by
// several, or can be looked into.
var durablePromises = []promise{
	{"Reopen/finds everything as it was", func(p *probe) {
		p.reopens()
		all := p.grow("a", 4)
		p.trim("a", 2, all[1].Record)
		b := p.grow("b", 2)
		p.commit(p.evidence("", 0))
		p.is(p.s.Shred(p.Context(), body(b[0]), token(b[0])), nil, "Shred")
		p.named("name", secret("named"))
		p.is(p.s.Annotate(p.Context(), store.Annotation{ID: b[0].Entry.ID, Response: store.Response{Status: 204, Took: 9}}), nil, "Annotate")
		forget := p.sealedEvidence("c", 0)
		forget.Forget = true
		p.commit(forget)
		l := p.acquire("name", "one", time.Hour)
		p.is(p.s.Advance(p.Context(), l, 3), nil, "Advance")
		want := p.everything()
		for range 2 {
			p.s = p.reopen(p.s)
			p.same("everything", p.everything(), want)
			p.same("cursor", p.cursor("name"), store.Position(3))
		}
		p.same("a repetition", p.commit(b[1]), store.Committed{Version: 2, Entry: entry(b[1]), Repeated: true})
		p.unavailable("name", "two")
		p.is(p.s.Release(p.Context(), l), nil, "Release")
	}},
	{"Reopen/goes on with greater positions, fences and versions", func(p *probe) {
		p.reopens()
		all := p.grow("a", 3)
		p.trim("a", 3, all[2].Record) // nothing is left that tells where it was
		_, last := p.bounds()
		l := p.acquire("name", "one", time.Hour)
		p.is(p.s.Release(p.Context(), l), nil, "Release")
		p.s = p.reopen(p.s)
		c := p.evidence("a", 3)
		p.commit(c)
		p.same("news", p.journal(last), entries(c))
		if at := p.position(c.Entry.ID); at <= last {
			p.Errorf("position %d is given after position %d", at, last)
		}
		if next := p.acquire("name", "one", time.Hour); next.Fence <= l.Fence {
			p.Errorf("fence %d follows fence %d", next.Fence, l.Fence)
		}
	}},
	{"Join/sees at once what another committed, and is bound by it", func(p *probe) {
		if p.join == nil {
			p.Skipf("the harness has no Join")
		}
		one := p.s
		two := p.join(one)
		for i := range uint64(10) {
			c := p.sealedEvidence("a", i)
			p.s = one
			p.commit(c)
			want := p.everything()
			p.s = two
			p.same("everything", p.everything(), want)
			p.same("a repetition", p.commit(c), store.Committed{Version: i + 1, Entry: entry(c), Repeated: true})
			p.refused(p.evidence("a", i), store.ErrConflict)
			other := p.evidence("b", 0)
			other.Claim = []store.Claim{{Digest: c.Claim[0].Digest}}
			p.refused(other, store.ErrOwned)
			one, two = two, one
		}
		p.s = one
		l := p.acquire("name", "one", time.Hour)
		p.is(p.s.Advance(p.Context(), l, 5), nil, "Advance")
		p.s = two
		p.unavailable("name", "two")
		p.same("cursor", p.cursor("name"), store.Position(5))
		p.is(p.s.Advance(p.Context(), l, 6), nil, "Advance")
	}},
	{"Dump/shows no token or body in clear", func(p *probe) {
		p.dumps()
		block, _ := aes.NewCipher(make([]byte, 32))
		aead, _ := cipher.NewGCMWithRandomNonce(block)
		clear := func(what string) (plain, sealed []byte) {
			plain = []byte(what + "-in-clear-" + rand.Text())
			return plain, aead.Seal(nil, nil, plain, nil)
		}
		var secrets [][]byte
		for i := range uint64(20) {
			c := p.evidence("a", i)
			plainBody, sealedBody := clear("body")
			plainToken, sealedToken := clear("token")
			c.Body, c.Claim = sealedBody, []store.Claim{{Digest: p.digest(), Sealed: sealedToken}}
			p.commit(c)
			secrets = append(secrets, plainBody, plainToken)
		}
		dump := p.dump(p.s)
		for _, plain := range secrets {
			if found(dump, plain) {
				p.Errorf("found in the dump: %q", plain)
			}
		}
	}},
	{"Dump/shows nothing of what was erased", func(p *probe) {
		p.dumps()
		erase := map[string]func(c store.Commit) [][]byte{
			"Shred": func(c store.Commit) [][]byte {
				p.is(p.s.Shred(p.Context(), body(c), token(c)), nil, "Shred")
				return [][]byte{c.Body, c.Claim[0].Sealed}
			},
			"EraseBodies": func(c store.Commit) [][]byte {
				next := p.evidence(c.Entry.Integration, 1)
				next.EraseBodies = true
				p.commit(next)
				return [][]byte{c.Body}
			},
			"Forget": func(c store.Commit) [][]byte {
				next := p.evidence(c.Entry.Integration, 1)
				next.Forget = true
				p.commit(next)
				return [][]byte{c.Body, c.Claim[0].Sealed, c.Entry.Evidence, c.Entry.Decision, c.Record}
			},
			"Disown": func(c store.Commit) [][]byte {
				next := p.evidence(c.Entry.Integration, 1)
				next.Disown = []lifecycle.Digest{c.Claim[0].Digest}
				p.commit(next)
				return [][]byte{c.Claim[0].Sealed}
			},
			"Reseal": func(c store.Commit) [][]byte {
				p.is(p.s.Reseal(p.Context(), body(c), c.Body, secret("resealed")), nil, "Reseal")
				p.is(p.s.Reseal(p.Context(), token(c), c.Claim[0].Sealed, secret("resealed")), nil, "Reseal")
				return [][]byte{c.Body, c.Claim[0].Sealed}
			},
			"Trim": func(c store.Commit) [][]byte {
				p.trim(c.Entry.Integration, 1, c.Record)
				return [][]byte{c.Body, c.Entry.Evidence, c.Entry.Decision}
			},
		}
		all := map[string]store.Commit{}
		for how := range erase {
			c := p.sealedEvidence(how, 0)
			for _, b := range []*[]byte{&c.Entry.Evidence, &c.Entry.Decision, &c.Record} {
				*b = fmt.Appendf(*b, " %s", rand.Text())
			}
			p.commit(c)
			all[how] = c
		}
		dump := p.dump(p.s)
		for how, c := range all {
			if !found(dump, c.Body) || !found(dump, c.Claim[0].Sealed) || !found(dump, c.Entry.Evidence) {
				p.Fatalf("what %s is to erase is not in the dump: it proves nothing", how)
			}
		}
		erased := map[string][][]byte{}
		for how, f := range erase {
			erased[how] = f(all[how])
		}
		dump = p.dump(p.s)
		for how, values := range erased {
			for _, value := range values {
				if found(dump, value) {
					p.Errorf("%s left %q in the dump", how, value)
				}
			}
		}
	}},
}

func (p *probe) reopens() {
	p.Helper()
	if p.reopen == nil {
		p.Skipf("the harness has no Reopen")
	}
}

func (p *probe) dumps() {
	p.Helper()
	if p.dump == nil {
		p.Skipf("the harness has no Dump")
	}
}

// found reports whether a dump holds a value, raw or in one of the usual encodings.
func found(dump, value []byte) bool {
	for _, form := range [][]byte{
		value,
		hex.AppendEncode(nil, value),
		bytes.ToUpper(hex.AppendEncode(nil, value)),
		base64.StdEncoding.AppendEncode(nil, value),
		base64.RawURLEncoding.AppendEncode(nil, value),
	} {
		if bytes.Contains(dump, form) {
			return true
		}
	}
	return false
}
