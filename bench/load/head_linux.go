package load

import (
	"bytes"
	"fmt"
	"strings"
)

// getRequest is a plain request, with more header lines.
func getRequest(t *target, more ...string) string {
	return "GET " + t.path + " HTTP/1.1\r\nHost: " + t.host + "\r\n" + strings.Join(append(more, "", ""), "\r\n")
}

// wantOK judges the head of an answer: its status and fields, whose names are in
// lower case.
func wantOK(head []byte, fields map[string]string) error {
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("the server answers %.80q", head)
	}
	for name, want := range fields {
		if got := field(head, name); got != want {
			return fmt.Errorf("%s is %q in the server's answer, want %q", name, got, want)
		}
	}
	return nil
}

// field is the value of a field, without parameters and in lower case.
func field(head []byte, name string) string {
	for line := range bytes.Lines(head) {
		n, v, ok := bytes.Cut(line, []byte(":"))
		if ok && strings.EqualFold(string(n), name) {
			v, _, _ = bytes.Cut(v, []byte(";"))
			return strings.ToLower(string(bytes.TrimSpace(v)))
		}
	}
	return ""
}
