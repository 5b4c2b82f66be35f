package testkit

import (
	"crypto/sha256"
	"fmt"
)

// ID returns an identifier as Mews spells them for what a test calls by a short name. Each
// kind, such as "integration", has its own.
func ID(kind, name string) string {
	sum := sha256.Sum256([]byte(kind + name))
	return fmt.Sprintf("%x-%x-%x-%x-%x", sum[:4], sum[4:6], sum[6:8], sum[8:10], sum[10:16])
}

// Token returns a token as long as those of Mews for what a test calls by a short name.
func Token(name string) string {
	sum := sha256.Sum256([]byte("token" + name))
	return fmt.Sprintf("%X-%X", sum[:16], sum[16:])[:64]
}
