package conf

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
)

// errTLS is what a listener with https:// has to say; a server that spoke
// plain HTTP there would show what its owner wanted hidden.
var errTLS = errors.New("https:// is not yet in effect, and the server does not start without what protects it; listen on http:// behind a proxy that speaks TLS")

// ParseListen takes a listener's URL apart, for net.Listen:
//
//	[http://][host][:port]   "tcp" and host:port; port 80 if there is none
//	unix://path              "unix" and the path, which may be relative
//
// An empty host is every interface, and port 0 any free one. The error says
// what to write instead.
func ParseListen(url string) (network, address string, err error) {
	if path, ok := strings.CutPrefix(url, "unix:"); ok {
		path = strings.TrimPrefix(path, "//")
		if path == "" || strings.HasSuffix(path, "/") {
			return "", "", errors.New("it names no socket; write 'unix:///run/leat.sock'")
		}
		return "unix", path, nil
	}
	scheme, rest, ok := strings.Cut(url, "://")
	switch {
	case !ok:
		rest = url
	case strings.EqualFold(scheme, "https"):
		return "", "", errTLS
	case !strings.EqualFold(scheme, "http"):
		return "", "", fmt.Errorf("%q is no scheme of a listener; write 'http://…' or 'unix://…'", scheme)
	}
	host, port, err := splitListen(strings.TrimSuffix(rest, "/"))
	if err != nil {
		return "", "", err
	}
	return "tcp", net.JoinHostPort(strings.Trim(host, "[]"), port), nil
}

// splitListen gives back host, in brackets if it has colons, and port.
func splitListen(s string) (host, port string, err error) {
	host, port = s, "80"
	if i := strings.LastIndexByte(s, ':'); i > strings.LastIndexByte(s, ']') {
		host, port = s[:i], s[i+1:]
	}
	number, err := strconv.ParseUint(port, 10, 16)
	switch {
	case s == "":
		return "", "", errors.New("it names neither host nor port; write 'http://:4000'")
	case strings.ContainsAny(s, "/?#@"):
		return "", "", errors.New("a listener has no path, query or user; write 'http://host:port'")
	case err != nil:
		return "", "", fmt.Errorf("%q is not a port from 0 to 65535; write 'http://host:port'", port)
	case host == "*":
		return "", "", fmt.Errorf("'*' is no host; write 'http://:%s' for every interface", port)
	case strings.Contains(host, ":") && host[0] != '[':
		return "", "", fmt.Errorf("an IPv6 address needs brackets; write 'http://[%s]:%s'", host, port)
	case host != "" && strings.Trim(host, "0123456789") == "":
		return "", "", fmt.Errorf("%s is no host; write 'http://:%s' if it is the port", host, host)
	case host != "" && !isListenHost(host):
		return "", "", fmt.Errorf("%q is not a host; write a name or an address", host)
	}
	return host, strconv.FormatUint(number, 10), nil
}

// isListenHost allows the zone of an IPv6 address too: [fe80::1%eth0].
func isListenHost(host string) bool {
	return isHost(host) && strings.ContainsAny(host[:1], "[") == strings.HasSuffix(host, "]")
}

// listener reads one entry of `listen` and writes it in full.
func (v val) listener(text string) any {
	network, address, err := ParseListen(text)
	if err != nil {
		problem, hint, _ := strings.Cut(err.Error(), "; ")
		return v.wrong(hint, "%q: %s", text, problem)
	}
	if network == "unix" {
		return "unix://" + v.r.paths.outside(address)
	}
	return "http://" + address
}
