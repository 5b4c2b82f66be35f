package httpserver

import (
	"net/netip"
	"net/url"
	"strings"
)

// IsLoopback reports whether a host, with or without a port, can only be this machine:
// localhost, or a loopback address.
func IsLoopback(hostport string) bool {
	host := (&url.URL{Host: hostport}).Hostname()
	if strings.EqualFold(host, "localhost") {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
