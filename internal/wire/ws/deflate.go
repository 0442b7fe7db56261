package ws

import (
	"strconv"
	"strings"
)

// A Deflate is a configuration of permessage-deflate (RFC 7692, 7.1): one that
// is wished for or one that is agreed on.
type Deflate struct {
	// ServerNoContext: the server compresses each message on its own.
	ServerNoContext bool
	// ClientNoContext: the client does.
	ClientNoContext bool
	// ServerBits is the server's window, as a power of two: 8 to 15. Zero in a
	// wish is 15.
	ServerBits int
	// ClientBits is the client's.
	ClientBits int
}

// Sends answers how the server, or else the client, compresses: whether it keeps
// its context from message to message, and its window's bits. The other side
// inflates accordingly.
func (d Deflate) Sends(server bool) (context bool, bits int) {
	if server {
		return !d.ServerNoContext, d.ServerBits
	}
	return !d.ClientNoContext, d.ClientBits
}

const deflateName = "permessage-deflate"

const maxBits = 15

// unset and bare are what stands for a window that is not spoken of, or whose
// parameter has no value.
const (
	unset = 0
	bare  = -1
)

// deflateParams are the parameters of one offer or answer as they stand there.
type deflateParams struct {
	serverNoContext, clientNoContext bool
	serverBits, clientBits           int // 8 to 15, unset or bare
}

// readDeflate reads parameters; one that is unknown, comes twice or has a wrong
// value makes them bad (RFC 7692, 7).
func readDeflate(params []param) (d deflateParams, ok bool) {
	seen := map[string]bool{}
	for _, p := range params {
		name := strings.ToLower(p.name)
		if seen[name] {
			return d, false
		}
		seen[name] = true
		switch name {
		case "server_no_context_takeover":
			d.serverNoContext, ok = true, !p.hasValue
		case "client_no_context_takeover":
			d.clientNoContext, ok = true, !p.hasValue
		case "server_max_window_bits":
			d.serverBits, ok = windowBits(p)
		case "client_max_window_bits":
			d.clientBits, ok = windowBits(p)
		default:
			ok = false
		}
		if !ok {
			return d, false
		}
	}
	return d, true
}

// windowBits reads 8 to 15 without leading zeros, or no value at all.
func windowBits(p param) (int, bool) {
	if !p.hasValue {
		return bare, true
	}
	n, err := strconv.Atoi(p.value)
	return n, err == nil && n >= 8 && n <= maxBits && strconv.Itoa(n) == p.value
}

// acceptDeflate goes through the offers in the client's order and answers the
// first that it can grant, with the header's value that says so; nil for none.
func acceptDeflate(offers []extension, wish Deflate) (*Deflate, string) {
	for _, e := range offers {
		if !strings.EqualFold(e.name, deflateName) {
			continue
		}
		if offer, ok := readDeflate(e.params); ok && offer.serverBits != bare {
			d := grant(offer, wish)
			return d, d.answer(offer.serverBits != unset)
		}
	}
	return nil, ""
}

// grant answers one offer. The wish for the client's window holds only when the
// client lets itself be told (RFC 7692, 7.1.2.2).
func grant(offer deflateParams, wish Deflate) *Deflate {
	d := &Deflate{
		ServerNoContext: offer.serverNoContext || wish.ServerNoContext,
		ClientNoContext: offer.clientNoContext || wish.ClientNoContext,
		ServerBits:      orMax(wish.ServerBits),
		ClientBits:      maxBits,
	}
	if offer.serverBits != unset {
		d.ServerBits = min(d.ServerBits, offer.serverBits)
	}
	switch want := orMax(wish.ClientBits); offer.clientBits {
	case unset:
	case bare:
		d.ClientBits = want
	case 8:
		// zlib cannot keep a window of 256 bytes; a client that says so may well
		// use 512. It is left to do so.
	default:
		d.ClientBits = min(want, offer.clientBits)
	}
	return d
}

func orMax(bits int) int {
	if bits < 8 || bits > maxBits {
		return maxBits
	}
	return bits
}

// answer writes what was granted. A window of 15 is what goes without saying,
// but an offer of server_max_window_bits is granted only by naming it (7.1.2.1).
func (d *Deflate) answer(named bool) string {
	s := deflateName
	if d.ServerNoContext {
		s += "; server_no_context_takeover"
	}
	if d.ClientNoContext {
		s += "; client_no_context_takeover"
	}
	if d.ServerBits < maxBits || named {
		s += "; server_max_window_bits=" + strconv.Itoa(d.ServerBits)
	}
	if d.ClientBits < maxBits {
		s += "; client_max_window_bits=" + strconv.Itoa(d.ClientBits)
	}
	return s
}

// offer writes a client's wish. It always lets the server choose the client's
// window.
func (d *Deflate) offer() string {
	s := deflateName
	if d.ServerNoContext {
		s += "; server_no_context_takeover"
	}
	if d.ClientNoContext {
		s += "; client_no_context_takeover"
	}
	if bits := orMax(d.ServerBits); bits < maxBits {
		s += "; server_max_window_bits=" + strconv.Itoa(bits)
	}
	s += "; client_max_window_bits"
	if bits := orMax(d.ClientBits); bits < maxBits {
		s += "=" + strconv.Itoa(bits)
	}
	return s
}

// checkDeflate reads a server's answer to the wish (RFC 7692, 7.1). The text
// says what is wrong.
func checkDeflate(params []param, wish Deflate) (d *Deflate, problem string) {
	a, ok := readDeflate(params)
	offeredServer, offeredClient := orMax(wish.ServerBits), orMax(wish.ClientBits)
	switch {
	case !ok:
		return nil, "has a parameter that is unknown, twice there or wrong"
	case a.serverBits == bare || a.clientBits == bare:
		return nil, "has a window without a size"
	case wish.ServerNoContext && !a.serverNoContext:
		return nil, "does not grant server_no_context_takeover"
	case offeredServer < maxBits && a.serverBits == unset, a.serverBits > offeredServer:
		return nil, "does not grant server_max_window_bits"
	case a.clientBits > offeredClient:
		return nil, "has a larger client_max_window_bits than offered"
	}
	d = &Deflate{
		ServerNoContext: a.serverNoContext,
		ClientNoContext: a.clientNoContext || wish.ClientNoContext,
		ServerBits:      orMax(a.serverBits),
		ClientBits:      offeredClient,
	}
	if a.clientBits != unset {
		d.ClientBits = a.clientBits
	}
	return d, ""
}
