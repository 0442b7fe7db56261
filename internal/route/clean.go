package route

import (
	"bytes"
	"strings"
)

// Clean returns the path that rules are matched against. The path is decoded;
// empty segments, "." and ".." are taken out (RFC 3986, 5.2.4), and a slash at
// the end is kept. ok is false for a path that does not start with a slash,
// that leaves the root, or that holds a NUL byte: the answer to it is 400. The
// empty path is "/".
//
// A backslash is an ordinary character here, as in a URL (RFC 3986): a room
// that opens files must refuse it. A path that is clean is returned as it is,
// without an allocation.
func Clean(path string) (clean string, ok bool) {
	if path == "" {
		return "/", true
	}
	if path[0] != '/' || strings.IndexByte(path, 0) >= 0 {
		return "", false
	}
	if isClean(path) {
		return path, true
	}
	out := make([]byte, 0, len(path))
	slash := false // whether the path ends in one
	for segment := range strings.SplitSeq(path[1:], "/") {
		slash = true
		switch segment {
		case "", ".":
		case "..":
			if len(out) == 0 {
				return "", false
			}
			out = out[:bytes.LastIndexByte(out, '/')]
		default:
			out = append(append(out, '/'), segment...)
			slash = false
		}
	}
	if slash || len(out) == 0 {
		out = append(out, '/')
	}
	return string(out), true
}

func isClean(path string) bool {
	start := 1
	for i := 1; i <= len(path); i++ {
		if i < len(path) && path[i] != '/' {
			continue
		}
		switch segment := path[start:i]; segment {
		case "":
			return i == len(path)
		case ".", "..":
			return false
		}
		start = i + 1
	}
	return true
}
