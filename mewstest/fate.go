package mewstest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// subject is the kind of thing that a fate belongs to.
type subject uint64

const (
	ofMessage subject = iota + 1
	ofNulls
	ofAttempt
	ofRequest
	ofLife
	ofArrivals
	ofIntegration
	ofKey
	ofEnterprise
	ofService
	ofClient
	ofObject
)

// fate returns the source of everything that is random about one thing, which two
// numbers identify. So no thing's fate depends on what happens to another. Every user
// of a fate draws the same amount each time, whether it is needed or not.
func fate(seed uint64, of subject, n, m int) *rand.Rand {
	return rand.New(rand.NewPCG(
		mix(mix(seed)+uint64(of)),
		mix(mix(uint64(n))+uint64(m)),
	))
}

// mix is the finalizer of SplitMix64, which moves neighbours far apart.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// guid makes up an identifier as Mews writes them: lower case, with dashes.
func guid(r *rand.Rand) string {
	a, b := r.Uint64(), r.Uint64()
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x",
		a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff)
}

// token makes up a token in the form of Mews's samples: 32 upper-case hexadecimal
// digits, which can spell an identifier, a dash, and 31 more digits.
func token(r *rand.Rand, id string) string {
	head := strings.ToUpper(strings.ReplaceAll(id, "-", ""))
	return fmt.Sprintf("%s-%015X%016X", head, r.Uint64()>>4, r.Uint64())
}

// hashOf returns the number by which something with a name is drawn.
func hashOf(name string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(name))
	return h.Sum64()
}
