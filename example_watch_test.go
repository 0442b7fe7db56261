package leat_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/leat-dev/leat"
)

// A clock that ticks while somebody looks.
func ExampleTopic_Watch() {
	srv, err := leat.New(nil)
	if err != nil {
		panic(err)
	}
	clock := srv.Topic("clock")
	stopped := make(chan struct{})
	var stop context.CancelFunc
	clock.Watch(func(read bool) {
		if !read {
			stop()
			return
		}
		var ctx context.Context
		ctx, stop = context.WithCancel(context.Background())
		go func() {
			defer close(stopped)
			for n := 1; ; n++ {
				if _, err := clock.Publish(ctx, leat.JSON(n)); err != nil {
					return // nobody looks any more
				}
				<-time.After(time.Millisecond)
			}
		}()
	})
	server := httptest.NewServer(clock)
	defer server.Close()

	res, err := http.Get(server.URL + "?bare")
	if err != nil {
		panic(err)
	}
	for record, err := range leat.ReadRecords(res.Body) {
		fmt.Println("a tick:", len(record) > 0, err)
		break
	}
	_ = res.Body.Close()
	<-stopped
	fmt.Println("the clock has stopped")
	// Output:
	// a tick: true <nil>
	// the clock has stopped
}
