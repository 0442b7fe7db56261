package site

import (
	"embed"
	"io/fs"
)

//go:embed web.json5 files
var embedded embed.FS

// FS returns the embedded site: web.json5 at its root and the documents in the
// folder that web.json5 names, ready for leat.LoadFS(site.FS(), "web.json5").
func FS() fs.FS { return embedded }
