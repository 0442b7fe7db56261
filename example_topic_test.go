package leat_test

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/leat-dev/leat"
)

// quiet is a server that logs nothing.
func quiet(c leat.Config) *leat.Server {
	c.Logger = slog.New(slog.DiscardHandler)
	srv, err := leat.New(&c)
	if err != nil {
		log.Fatal(err)
	}
	return srv
}

func ExampleTopic() {
	srv := quiet(leat.Config{})
	srv.Handle("/live/", srv.Topics("/live/"))
	ts := httptest.NewServer(srv)
	defer ts.Close()
	defer srv.Close()

	if _, err := srv.Topic("cpu").Publish(context.Background(), leat.JSON(map[string]float64{"load": 0.25})); err != nil {
		log.Fatal(err)
	}
	resp, err := http.Get(ts.URL + "/live/cpu?history=all&bare")
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	fmt.Print(line, err)
	// Output:
	// {"load":0.25}
	// <nil>
}

func ExampleReceipt() {
	srv := quiet(leat.Config{})
	defer srv.Close()
	for range 3 {
		receipt, err := srv.Topic("room.kitchen").Publish(context.Background(), leat.Text("Hello"))
		if err != nil {
			log.Fatal(err)
		}
		_, seq, _ := strings.Cut(receipt.ID, "-")
		fmt.Println(receipt.Count, seq)
	}
	// Output:
	// 1 1
	// 2 2
	// 3 3
}

func ExampleTopicStats() {
	srv := quiet(leat.Config{})
	defer srv.Close()
	cpu := srv.Topic("cpu")
	if _, err := cpu.Publish(context.Background(), leat.JSON(0.25)); err != nil {
		log.Fatal(err)
	}
	stats := cpu.Stats()
	fmt.Println(stats.Published, stats.Kept, len(stats.Subscribers))
	// Output: 1 1 0
}
