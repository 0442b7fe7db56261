// Command echov4 streams records from handlers of labstack/echo, as its cookbook
// does, and serves files by its Static.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/leat-dev/leat/bench/load"
	"github.com/leat-dev/leat/bench/peers/peer"
)

func main() { os.Exit(peer.Main(run)) }

func run(ctx context.Context, o peer.Options) error {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.GET("/ndjson", records("application/x-ndjson", "%s\n"))
	e.GET("/sse", records("text/event-stream", "data: %s\n\n"))
	e.GET("/plain", func(c echo.Context) error { return c.String(http.StatusOK, load.Plain) })
	if o.Files != "" {
		e.Static("/", o.Files)
	}
	defer context.AfterFunc(ctx, func() { _ = e.Close() })()
	if err := e.Start(o.Addr); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// records is a handler that sends each reader records as often as it wants.
func records(mime, format string) echo.HandlerFunc {
	return func(c echo.Context) error {
		w := c.Response()
		w.Header().Set(echo.HeaderContentType, mime)
		w.Header().Set(echo.HeaderCacheControl, "no-cache")
		w.WriteHeader(http.StatusOK)
		tick := time.NewTicker(peer.Every(c.Request()))
		defer tick.Stop()
		for n := 0; ; n++ {
			b, err := json.Marshal(peer.NewRecord(n))
			if err != nil {
				return err
			}
			if _, err := fmt.Fprintf(w, format, b); err != nil {
				return err
			}
			w.Flush()
			select {
			case <-tick.C:
			case <-c.Request().Context().Done():
				return nil
			}
		}
	}
}
