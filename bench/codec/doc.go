// Package codec measures internal/wire/ws and internal/deflate beside other
// people's codecs: go test -bench . ./codec. Where a library shows no codec, its
// connection is measured over a net.Conn in memory, and ours by the same.
package codec
