package connector

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// Mews's platform addresses. Each has tokens of its own.
const (
	Production = "https://api.mews.com"
	Demo       = "https://api.mews-demo.com"
)

const operation = "/api/connector/v1/configuration/get"

// Address parses a platform address, such as [Production] or [Demo]: a scheme and a
// host, plain http for this machine only. The error wraps ErrOptions and does not
// quote the address.
func Address(platform string) (*url.URL, error) {
	u, err := url.Parse(platform)
	switch {
	case platform == "":
		return nil, fmt.Errorf("%w: no URL", ErrOptions)
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, fmt.Errorf("%w: the URL is not a scheme and a host", ErrOptions)
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, fmt.Errorf("%w: the URL is neither https nor http", ErrOptions)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return nil, fmt.Errorf("%w: plain http to another machine would show the tokens", ErrOptions)
	case u.User != nil:
		return nil, fmt.Errorf("%w: the URL has a user", ErrOptions)
	case u.RawQuery != "" || u.ForceQuery || strings.Contains(platform, "#"):
		return nil, fmt.Errorf("%w: the URL has a query or a fragment", ErrOptions)
	case u.Path != "" && u.Path != "/":
		return nil, fmt.Errorf("%w: the URL has a path; give only a scheme and a host", ErrOptions)
	}
	return &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
