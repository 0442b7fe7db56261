package load

// Plain is what a server's answer to a plain request is.
const Plain = "hello\n"

// File is the content of a file to download, of n bytes.
func File(n int) []byte {
	b := make([]byte, n)
	x := uint32(1)
	for i := range b {
		x = x*1664525 + 1013904223
		b[i] = byte(x >> 24)
	}
	return b
}
