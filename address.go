package leat

import (
	"encoding/binary"
	"net/netip"
	"unsafe"
)

// An address is the text of a peer's address: of IPv4 without memory of its own,
// since every idle connection keeps one.
type address struct {
	text *byte  // nil: IPv4, or none
	n    uint64 // the text's length; of IPv4 isIPv4, the address and the port
}

const isIPv4 = 1 << 63

func addressOf(text string) address {
	if a, err := netip.ParseAddrPort(text); err == nil && a.Addr().Is4() {
		ip := a.Addr().As4()
		short := address{n: isIPv4 | uint64(binary.BigEndian.Uint32(ip[:]))<<16 | uint64(a.Port())}
		if short.String() == text { // and not a port like 080
			return short
		}
	}
	return address{unsafe.StringData(text), uint64(len(text))}
}

func (a address) String() string {
	if a.n&isIPv4 == 0 {
		return unsafe.String(a.text, int(a.n))
	}
	var ip [4]byte
	binary.BigEndian.PutUint32(ip[:], uint32(a.n>>16))
	return netip.AddrPortFrom(netip.AddrFrom4(ip), uint16(a.n)).String()
}
