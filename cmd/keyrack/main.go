// Keyrack is the command of the Keyrack library. Its verb serve is a sidecar: it receives
// Mews's Integration Webhooks, and any program can ask it over HTTP whether a hotel's
// access token is still valid. The other verbs ask a sidecar, work on its store, or help
// to develop and test a receiver of webhooks.
//
// # Map
//
// main.go turns signals into the end of a context and calls run.
//
//	cli_root.go      run: from arguments to an exit code; the root of the verbs; exit codes
//	cli_verbs.go     the list of verbs, in the groups of the help
//	cli_settings.go  flags, environment, settings file: where a value comes from
//	cli_secrets.go   settings that come from the environment alone, and the verb apikey
//	cli_args.go      positional arguments, a token from stdin, and --to: a receiver of webhooks
//	cli_output.go    --format: text, json, jsonl; tables and colours
//	cli_log.go       the log of serve
//	cli_listeners.go the addresses of serve, what it says of them, the operator's page
//	cli_notify.go    systemd: readiness and the watchdog
//	cli_backend.go   --api and --store: a running sidecar, or a store at rest; the sealing key
//	cli_rack.go      the flags of what the library can do
//	verb_*.go        a verb each, or a few that belong together
//
// A verb_*.go file checks its flags, calls a package and prints. The work is done by the
// library and by the packages under internal:
//
//	front       what stands before the webhook: /livez, and pages that forge
//	api         the HTTP API: server, wire documents, openapi.json
//	client      asks that API, over the network or in this process
//	metrics     the page of /metrics
//	storage     --store and the sealing key
//	importfile  the file that import reads
//	simulation  the hotels of simulate     demo  the steps of demo     mews  the Mews of mews
//	httpserver  files  terminal  pause  usage    small things that several share
//
// CONTRIBUTING.md says how to add a verb.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "golang.org/x/crypto/x509roots/fallback" // for systems without root certificates, such as containers
)

func main() {
	ctx, end := context.WithCancel(context.Background())
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // first, so that a second signal ends the process at once
		end()
	}()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr, os.Getenv))
}
