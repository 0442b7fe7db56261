//go:build !unix

package serve

// nonblock is nothing where opening does not wait.
const nonblock = 0
