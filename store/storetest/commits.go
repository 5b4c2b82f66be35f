package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keyrack-dev/keyrack/lifecycle"
	"github.com/keyrack-dev/keyrack/store"
)

// commitPromises are those about a single commit.
var commitPromises = []promise{
	{"Commit/leaves the integration at the next version with the new record", func(p *probe) {
		for i := range uint64(3) {
			c := p.evidence("a", i)
			r := p.commit(c)
			p.same("receipt", r, store.Committed{Version: i + 1, Entry: entry(c)})
			p.same("integration", p.load("a"), stored(c))
		}
	}},
	{"Commit/at another version than the expected one is ErrConflict and changes nothing", func(p *probe) {
		p.grow("a", 2)
		for _, expect := range []uint64{0, 1, 3, 1 << 40} {
			p.refused(p.sealedEvidence("a", expect), store.ErrConflict)
		}
		p.refused(p.sealedEvidence("b", 1), store.ErrConflict)
		if _, err := p.s.Load(p.Context(), "b"); !errors.Is(err, store.ErrNotFound) {
			p.Errorf("a refused commit created an integration: %v", err)
		}
	}},
	{"Commit/that is refused erases nothing", func(p *probe) {
		all := p.grow("a", 2)
		for _, expect := range []uint64{1, 3} {
			c := p.evidence("a", expect)
			c.EraseBodies = true
			p.refused(c, store.ErrConflict)
			c = p.evidence("a", expect)
			c.Forget = true
			p.refused(c, store.ErrConflict)
			c = p.evidence("a", expect)
			c.Disown = []lifecycle.Digest{all[0].Claim[0].Digest}
			p.refused(c, store.ErrConflict)
			c = p.evidence("a", expect)
			c.Claim = []store.Claim{{Digest: all[0].Claim[0].Digest, Sealed: secret("token")}}
			p.refused(c, store.ErrConflict)
		}
	}},
	{"Commit/that contradicts itself is ErrInvalid and changes nothing", func(p *probe) {
		owned := p.grow("a", 1)[0].Claim[0].Digest
		for _, spoil := range []func(c *store.Commit){
			func(c *store.Commit) { c.Entry.ID = store.EntryID{} },
			func(c *store.Commit) { c.Claim = []store.Claim{{}} },
			func(c *store.Commit) { c.Disown = []lifecycle.Digest{{}} },
			func(c *store.Commit) { c.Claim = []store.Claim{{Digest: owned}, {Digest: owned}} },
			func(c *store.Commit) { c.Disown = []lifecycle.Digest{owned, owned} },
			func(c *store.Commit) {
				c.Claim, c.Disown = []store.Claim{{Digest: owned}}, []lifecycle.Digest{owned}
			},
		} {
			c := p.evidence("a", 1)
			spoil(&c)
			p.refused(c, store.ErrInvalid)
		}
		for _, spoil := range []func(c *store.Commit){
			func(c *store.Commit) { c.Expect = 1 },
			func(c *store.Commit) { c.Record = []byte("record") },
			func(c *store.Commit) { c.Claim = []store.Claim{{Digest: p.digest()}} },
			func(c *store.Commit) { c.Disown = []lifecycle.Digest{owned} },
			func(c *store.Commit) { c.EraseBodies = true },
			func(c *store.Commit) { c.Forget = true },
		} {
			c := p.evidence("", 0)
			spoil(&c)
			p.refused(c, store.ErrInvalid)
		}
	}},
	{"Commit/without an integration is an entry and a body alone", func(p *probe) {
		c := p.evidence("", 0)
		c.Body = secret("body")
		p.same("receipt", p.commit(c), store.Committed{Entry: entry(c)})
		p.same("journal", p.journal(0), entries(c))
		p.same("body", p.sealed(body(c)), c.Body)
		p.same("integrations", p.scan(""), []store.Stored{})
		if _, err := p.s.Load(p.Context(), ""); !errors.Is(err, store.ErrNotFound) {
			p.Errorf("there is an integration without an id: %v", err)
		}
	}},
	{"Commit/keeps what it does not understand, byte for byte", func(p *probe) {
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		for i, odd := range [][]byte{
			[]byte(`{"Format":7,"State":"levitating","New":{"nested":[1e400]}}`),
			[]byte(" not {json\r\n\t"), []byte("\xff\xfe broken UTF-8 \xc3"), []byte(`\x00\\'";--`),
			every, bytes.Repeat(every, 300), {0}, {},
		} {
			c := p.evidence(fmt.Sprint("odd", i), 0)
			c.Entry.Evidence, c.Entry.Decision, c.Record = odd, append(odd[:len(odd):len(odd)], 1), append(odd[:len(odd):len(odd)], 2)
			c.Body = append(odd[:len(odd):len(odd)], 3)
			c.Claim = []store.Claim{{Digest: p.digest(), Sealed: append(odd[:len(odd):len(odd)], 4)}}
			p.same("receipt", p.commit(c).Entry, entry(c))
			p.same("record", p.load(c.Entry.Integration), stored(c))
			p.same("history", p.history(c.Entry.Integration), entries(c))
			p.same("journal", p.exactly(i+1, p.journal(0))[i], entry(c))
			p.same("body", p.sealed(body(c)), c.Body)
			p.same("token", p.sealed(token(c)), c.Claim[0].Sealed)
		}
	}},
	{"Commit/keeps every field of the entry but position and version", func(p *probe) {
		for i, at := range []lifecycle.Instant{0, 1, -1, -62135596800000000, 253402300799999999, 1758369600123456} {
			c := p.evidence("a", uint64(i))
			c.Entry.Position, c.Entry.Version = 99, 99
			c.Entry.At = at
			c.Entry.Response = store.Response{Status: 200 + i, Took: time.Duration(i)*time.Hour + 1}
			p.same("receipt", p.commit(c).Entry, entry(c))
			p.same("history", p.exactly(i+1, p.history("a"))[i], entry(c))
		}
		for i, e := range p.journal(0) {
			if e.Version != uint64(i)+1 {
				p.Errorf("entry %d has version %d", i, e.Version)
			}
		}
	}},
	{"Commit/takes an empty slice for none", func(p *probe) {
		c := p.evidence("a", 0)
		c.Body = []byte{}
		c.Record, c.Entry.Evidence, c.Entry.Decision = []byte{}, []byte{}, nil
		c.Claim = []store.Claim{{Digest: p.digest(), Sealed: []byte{}}}
		c.Disown = []lifecycle.Digest{}
		p.commit(c)
		p.same("integration", p.load("a"), stored(c))
		p.same("sealed values", p.refs(), []store.Ref{})
		for _, ref := range []store.Ref{body(c), token(c)} {
			if _, err := p.s.Sealed(p.Context(), ref); !errors.Is(err, store.ErrNotFound) {
				p.Errorf("Sealed of an empty value: %v", err)
			}
		}
	}},
	{"Commit/touches no other integration", func(p *probe) {
		var want []string
		ids := similar()
		first := map[string]store.Commit{}
		for _, id := range ids {
			first[id] = p.grow(id, 1)[0]
		}
		see := func(id string) string {
			return text(p.load(id)) + text(p.history(id)) + text(p.sealed(body(first[id]))) + text(p.sealed(token(first[id])))
		}
		for _, id := range ids {
			want = append(want, see(id))
		}
		for i, id := range ids {
			c := p.sealedEvidence(id, 1)
			c.EraseBodies = true
			p.commit(c)
			want[i] = see(id)
			for j, other := range ids {
				p.same(fmt.Sprintf("%q after a commit to %q", other, id), see(other), want[j])
			}
		}
	}},
	{"Commit/at the same version by many at once succeeds once", func(p *probe) {
		for round := range uint64(20) {
			var won atomic.Int64
			all := make([]store.Commit, 8)
			for i := range all {
				all[i] = p.evidence("a", round)
			}
			p.together(len(all), func(i int) error {
				r, err := p.s.Commit(context.WithoutCancel(p.Context()), all[i])
				switch {
				case err == nil && r.Version == round+1:
					won.Add(1)
				case err == nil:
					return fmt.Errorf("version %d after one commit to version %d", r.Version, round)
				case !errors.Is(err, store.ErrConflict):
					return err
				}
				return nil
			})
			if won.Load() != 1 {
				p.Errorf("%d of %d commits to version %d succeeded", won.Load(), len(all), round)
			}
			if n := len(p.history("a")); n != int(round)+1 || p.load("a").Version != round+1 {
				p.Fatalf("version %d with %d entries after %d commits", p.load("a").Version, n, round+1)
			}
		}
	}},
}

// similar returns ids in byte order that differ in little.
func similar() []string {
	return []string{
		"A", "AB", "B", "a", "a ", "a-1", "a_1", "ab", "b",
		"cafe\u0301", "caf\u00e9", "z", "\u00c4", "\ufb01", "\U0001f3e8",
	}
}
