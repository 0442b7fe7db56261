//go:build !race

package protocol_test

const scale = 1
