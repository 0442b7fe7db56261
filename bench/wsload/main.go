// Command wsload loads one WebSocket server on loopback that echoes, and prints
// what that cost it as JSON. See ../README.md.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"time"

	"github.com/leat-dev/leat/bench/load"
)

func main() {
	var e load.Echo
	flag.StringVar(&e.URL, "url", "ws://127.0.0.1:9000/", "the server, on loopback")
	flag.IntVar(&e.PID, "pid", 0, "the server's process")
	flag.IntVar(&e.Conns, "conns", 100, "connections")
	flag.IntVar(&e.Size, "size", 64, "bytes of a message")
	flag.IntVar(&e.Depth, "depth", 0, "messages under way on each connection, 1 by default")
	flag.Float64Var(&e.Rate, "rate", 0, "messages a second in all; 0: as fast as they come back")
	flag.IntVar(&e.Fragments, "fragments", 1, "fragments of a message")
	flag.BoolVar(&e.Text, "text", false, "text messages")
	flag.BoolVar(&e.Deflate, "deflate", false, "compressed messages, of JSON")
	flag.DurationVar(&e.Warm, "warm", 500*time.Millisecond, "time before the measurement")
	flag.DurationVar(&e.Time, "time", 3*time.Second, "time of the measurement")
	flag.Parse()
	load.RaiseFiles()
	r, err := e.Run()
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wsload:", err)
		os.Exit(1)
	}
}
