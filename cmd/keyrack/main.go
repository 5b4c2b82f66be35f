// Keyrack is the command of the Keyrack library: a receiver of Mews's
// Integration Webhooks that any program can ask over HTTP whether a hotel's
// access token is still valid, and a developer's desk.
//
// In come flags, environment variables and HTTP requests; out go answers over
// HTTP, lines for people, and an exit code.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // where the system has no roots of its own, as in a container
)

func main() {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // before anybody is told: from then on, one more ends the process at once
		end()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
