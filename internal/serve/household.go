package serve

import (
	"net"
	"net/netip"
)

// Household is what an address, with a port or without, counts as where each has a
// bound. Of IPv6 it is the /64 that has it: whoever has one of these has them all
// (RFC 6177). An IPv4 address that comes as one of IPv6 is itself.
func Household(remote string) string {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil { // there is none on a Unix socket
		return host
	}
	if ip = ip.Unmap(); ip.Is4() {
		return ip.String()
	}
	return netip.PrefixFrom(ip, 64).Masked().String()
}
