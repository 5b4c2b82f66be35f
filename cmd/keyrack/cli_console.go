package main

import (
	"github.com/keyrack-dev/keyrack"
	"github.com/keyrack-dev/keyrack/console"
)

// newConsole returns the operator's page. With API keys a visitor signs in with one that may
// read; without, the API listener serves this machine alone.
func (s *settings) newConsole(rack *keyrack.Rack, webhooks *keyrack.Handler) *console.Handler {
	o := console.Options{Webhooks: webhooks, Prober: s.client != nil, Horizon: s.horizon}
	for _, one := range s.shown {
		name := one.Flag
		if name == "" {
			name = one.Variable
		}
		o.Settings = append(o.Settings, console.Setting{Name: name, Value: one.Value, From: one.From})
	}
	if len(s.apiKeys) > 0 {
		o.SignIn = func(key string) (console.Visitor, bool) {
			name := s.apiKeys.Reader(key)
			return console.Visitor{Name: name}, name != ""
		}
	}
	return console.New(rack, o)
}
