package main

import (
	"net/http"
	"testing"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/demo"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/sidecartest"
)

// deliver delivers a file of testdata/bodies.
func deliver(t testing.TB, p *process, file string) {
	t.Helper()
	body, err := demo.Body(file)
	if err != nil {
		t.Fatal(err)
	}
	sidecartest.Deliver(t, p.webhooks, body)
}

// introspected asks about the token of Mews's documentation.
func introspected(t testing.TB, p *process, key string) api.Introspection {
	t.Helper()
	return sidecartest.Read[api.Introspection](t, sidecartest.Call(t, p.api, key, http.MethodPost, api.IntrospectPath,
		"application/x-www-form-urlencoded", "token="+sidecartest.SampleToken))
}
