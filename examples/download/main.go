// Download sends a large file. The kernel copies it, whatever its size, and a
// download that broke off can go on where it was.
//
//	go run ./examples/download -file large-file.zip
//	curl -OJ -C - http://localhost:4000/download
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"os"
	"os/signal"

	"github.com/leat-dev/leat"
)

func main() {
	listen := flag.String("listen", "http://localhost:4000", "where to listen")
	name := flag.String("file", "large-file.zip", "what to send")
	flag.Parse()
	srv, err := leat.New(&leat.Config{Listen: []string{*listen}})
	if err != nil {
		log.Fatal(err)
	}
	srv.HandleFunc("/download", func(w http.ResponseWriter, r *http.Request) {
		file, err := os.Open(*name)
		if err != nil {
			http.Error(w, "the file is not there", http.StatusNotFound)
			return
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			http.Error(w, "the file cannot be read", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Disposition", `attachment; filename="large-file.zip"`)
		http.ServeContent(w, r, "", info.ModTime(), file) // no loop and no buffer: this keeps ranges and sendfile
	})
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := srv.Run(ctx); err != nil {
		log.Fatal(err)
	}
}
