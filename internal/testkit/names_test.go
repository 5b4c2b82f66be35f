package testkit_test

import (
	"regexp"
	"testing"

	"github.com/keyrack-dev/keyrack/internal/testkit"
)

// TestNames: they look like Mews's, and what is called otherwise is another one.
func TestNames(t *testing.T) {
	if id := testkit.ID("integration", "a"); !regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(id) {
		t.Errorf("an id is %s", id)
	}
	if testkit.ID("integration", "a") == testkit.ID("enterprise", "a") || testkit.ID("integration", "a") == testkit.ID("integration", "b") {
		t.Error("two things have one id")
	}
	if token := testkit.Token("a"); !regexp.MustCompile(`^[0-9A-F]{32}-[0-9A-F]{31}$`).MatchString(token) || token == testkit.Token("b") {
		t.Errorf("a token is %s", token)
	}
}
