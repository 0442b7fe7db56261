package serve

import "testing"

func TestANetworkOfIPv6IsOneHousehold(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80":                      "192.0.2.1",
		"192.0.2.1":                         "192.0.2.1",
		"[::ffff:192.0.2.1]:80":             "192.0.2.1",
		"[::ffff:c000:201]:80":              "192.0.2.1",
		"::ffff:192.0.2.2":                  "192.0.2.2",
		"[2001:db8:1:2::1]:80":              "2001:db8:1:2::/64",
		"[2001:db8:1:2:3:4:5:6]:443":        "2001:db8:1:2::/64",
		"[2001:DB8:1:2:ffff:ffff:ffff::]:1": "2001:db8:1:2::/64",
		"2001:db8:1:2::9":                   "2001:db8:1:2::/64",
		"[2001:db8:1:3::1]:80":              "2001:db8:1:3::/64",
		"[2001:db8::1]:80":                  "2001:db8::/64",
		"[::1]:80":                          "::/64",
		"[fe80::1%eth0]:80":                 "fe80::/64",
		"[fe80::2%eth1]:80":                 "fe80::/64",
		"somebody:80":                       "somebody",
		"/run/web.sock":                     "/run/web.sock",
		"@":                                 "@",
		"":                                  "",
	} {
		if got := Household(remote); got != want {
			t.Errorf("%q: %q, want %q", remote, got, want)
		}
	}
}
