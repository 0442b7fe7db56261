// Package load puts load on a WebSocket server on loopback, verifies what comes
// back, and says what each message cost the server's process. It is for Linux.
//
// One epoll loop on one thread drives all connections, by raw system calls that
// never enter Go's scheduler, so that it costs about what a C program would.
// Frames are written and read here, and not by Leat's codec: what both got wrong
// alike would not be seen.
package load
