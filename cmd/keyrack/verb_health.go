package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/api"
	"github.com/keyrack-dev/keyrack/cmd/keyrack/internal/usage"
)

func newHealth(env environment) *cobra.Command {
	var h healthCheck
	health := &cobra.Command{
		Use:   "health [flags]",
		Short: "Check whether the sidecar of this machine is ready",
		Long: `Health asks the sidecar of this machine, or of this container, whether it is ready,
as an image without a shell needs it. It takes the address from the same settings as
serve: from --health-addr, or else from --api-addr. It needs no key.

Exit codes: 0 if it is ready, or degraded, which is answering from memory while the
store cannot be read; 1 if it is not, or does not answer; 2 for a usage error. With
--live, 0 means that the process answers at all.`,
		Example: `  keyrack health
  keyrack health --live --timeout 1s

  # In a container file:
  HEALTHCHECK CMD ["/keyrack", "health"]`,
		Args: noArguments,
		RunE: func(verb *cobra.Command, _ []string) error {
			url, err := h.url()
			if err != nil {
				return err
			}
			said, err := h.ask(verb.Context(), url)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(verb.OutOrStdout(), said)
			return err
		},
	}
	flags := health.Flags()
	flags.SortFlags = false
	flags.StringVar(&h.healthAddr, "health-addr", "", "`host:port` of the listener for checks, as of serve")
	flags.StringVar(&h.apiAddr, "api-addr", defaultAPIAddr, "`host:port` of the API, as of serve")
	flags.BoolVar(&h.live, "live", false, "check only whether the process answers")
	flags.DurationVar(&h.timeout, "timeout", 2*time.Second, "how long to wait for the answer")
	return health
}

// healthCheck is one question to the sidecar of this machine.
type healthCheck struct {
	healthAddr, apiAddr string
	live                bool
	timeout             time.Duration
}

// url returns what to ask. An address of every interface is asked on loopback.
func (h *healthCheck) url() (string, error) {
	flag, addr := "--health-addr", h.healthAddr
	if addr == "" {
		flag, addr = "--api-addr", h.apiAddr
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || port == "" || port == "0" {
		return "", usage.Errorf("%s must be host:port, as serve has it; try 127.0.0.1:8081", flag)
	}
	if h.timeout <= 0 {
		return "", usage.Errorf("--timeout must be above 0")
	}
	switch ip := net.ParseIP(host); {
	case host == "", ip != nil && ip.IsUnspecified() && ip.To4() != nil:
		host = "127.0.0.1"
	case ip != nil && ip.IsUnspecified():
		host = "::1"
	}
	path := "/readyz"
	if h.live {
		path = "/livez"
	}
	return "http://" + net.JoinHostPort(host, port) + path, nil
}

// ask returns the word of the answer, or an error that says what it was.
func (h *healthCheck) ask(ctx context.Context, url string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return "", usage.Errorf("the address is not valid")
	}
	// Neither a proxy nor a redirection leads to this machine.
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("%s did not answer within %v", url, h.timeout)
		}
		return "", fmt.Errorf("%s does not answer; is keyrack serve running there?", url)
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 64))
	word := strings.TrimSpace(string(text))
	switch {
	case resp.StatusCode == http.StatusOK && api.IsHealthWord(word):
		return word, nil
	case resp.StatusCode == http.StatusServiceUnavailable && api.IsHealthWord(word):
		return "", errors.New(word)
	}
	return "", fmt.Errorf("%s answers %d, as no keyrack does; another program listens there", url, resp.StatusCode)
}
