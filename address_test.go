package leat

import "testing"

func TestAnAddressIsTheTextThatItWasMadeOf(t *testing.T) {
	for _, text := range []string{
		"", "@", "127.0.0.1:80", "0.0.0.0:0", "255.255.255.255:65535", "10.1.2.3:080", "127.0.0.1:", "127.0.0.1", "1.2.3.4:65536",
		"[::1]:80", "[::ffff:1.2.3.4]:80", "[fe80::1%eth0]:8080", "/run/web.sock", "somebody:80",
	} {
		if got := addressOf(text).String(); got != text {
			t.Errorf("%q, want %q", got, text)
		}
	}
}

func TestAnAddressOfIPv4HasNoMemoryOfItsOwn(t *testing.T) {
	if a := addressOf("127.0.0.1:8080"); a.text != nil {
		t.Errorf("%q is kept as text", a)
	}
}
