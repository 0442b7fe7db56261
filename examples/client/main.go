// Client opens a WebSocket, sends each of its arguments as a text, and prints
// what comes: an answer to each, or without any arguments all there is.
//
//	go run ./examples/client ws://localhost:4000/echo hello
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"

	"github.com/leat-dev/leat"
)

func main() {
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "client URL [text...]")
		flag.PrintDefaults()
	}
	largest := flag.Int64("largest", 64<<20, "bytes of the largest message that is taken")
	flag.Parse()
	if flag.NArg() == 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := talk(ctx, flag.Arg(0), flag.Args()[1:], *largest); err != nil {
		log.Fatal(err)
	}
}

func talk(ctx context.Context, url string, texts []string, largest int64) error {
	s, err := leat.Dial(ctx, url, &leat.DialOptions{SocketOptions: leat.SocketOptions{MaxMessage: largest}})
	if err != nil {
		return err
	}
	for i := 0; i < len(texts) || len(texts) == 0; i++ {
		if len(texts) > 0 {
			if _, err := s.SendText(texts[i]); err != nil {
				return err
			}
		}
		m, err := s.Read(ctx)
		switch {
		case errors.Is(err, io.EOF): // the server closed
			fmt.Println("closed:", s.CloseStatus(), s.CloseReason())
			return nil
		case ctx.Err() != nil:
			return errors.Join(s.Close(), s.Run())
		case err != nil:
			return err
		case m.Type == leat.TextMessage:
			fmt.Printf("%s\n", m.Data)
		default:
			fmt.Println(len(m.Data), "bytes")
		}
	}
	return errors.Join(s.Close(), s.Run()) // Run waits until the server has closed too
}
