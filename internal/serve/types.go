package serve

import (
	"path"
	"strings"
)

const octets = "application/octet-stream"

// contentTypes are the media types of file names' extensions. Text says that
// it is UTF-8, but for XML, which says so itself, and JSON, which is no other
// (RFC 8259, 8.1).
var contentTypes = map[string]string{
	// Pages and programs
	".html": "text/html; charset=utf-8", ".htm": "text/html; charset=utf-8", ".xhtml": "application/xhtml+xml",
	".css": "text/css; charset=utf-8",
	".js":  "text/javascript; charset=utf-8", ".mjs": "text/javascript; charset=utf-8", ".cjs": "text/javascript; charset=utf-8",
	".wasm": "application/wasm", ".webmanifest": "application/manifest+json",

	// Data
	".json": "application/json", ".map": "application/json", ".json5": "application/json5", ".jsonld": "application/ld+json",
	".geojson": "application/geo+json", ".topojson": "application/json", ".har": "application/json",
	".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson", ".cbor": "application/cbor",
	".xml": "application/xml", ".xsd": "application/xml", ".xsl": "application/xslt+xml", ".xslt": "application/xslt+xml",
	".rss": "application/rss+xml", ".atom": "application/atom+xml", ".yaml": "application/yaml", ".yml": "application/yaml",
	".toml": "application/toml", ".sqlite": "application/vnd.sqlite3", ".parquet": "application/vnd.apache.parquet",

	// Text
	".txt": "text/plain; charset=utf-8", ".text": "text/plain; charset=utf-8", ".log": "text/plain; charset=utf-8",
	".conf": "text/plain; charset=utf-8", ".ini": "text/plain; charset=utf-8",
	".md": "text/markdown; charset=utf-8", ".markdown": "text/markdown; charset=utf-8",
	".csv": "text/csv; charset=utf-8", ".tsv": "text/tab-separated-values; charset=utf-8",
	".ics": "text/calendar; charset=utf-8", ".vcf": "text/vcard; charset=utf-8", ".vtt": "text/vtt; charset=utf-8",
	".srt": "application/x-subrip", ".diff": "text/x-diff; charset=utf-8", ".patch": "text/x-diff; charset=utf-8",
	".rtf": "application/rtf",

	// Pictures
	".svg": "image/svg+xml", ".png": "image/png", ".apng": "image/apng", ".jpg": "image/jpeg", ".jpeg": "image/jpeg",
	".gif": "image/gif", ".webp": "image/webp", ".avif": "image/avif", ".jxl": "image/jxl", ".heic": "image/heic",
	".heif": "image/heif", ".bmp": "image/bmp", ".tif": "image/tiff", ".tiff": "image/tiff", ".ico": "image/vnd.microsoft.icon",
	".cur": "image/vnd.microsoft.icon", ".ktx2": "image/ktx2", ".eps": "application/postscript", ".ps": "application/postscript",

	// Fonts (RFC 8081)
	".woff": "font/woff", ".woff2": "font/woff2", ".ttf": "font/ttf", ".otf": "font/otf", ".ttc": "font/collection",
	".eot": "application/vnd.ms-fontobject",

	// Sound and video
	".mp3": "audio/mpeg", ".m4a": "audio/mp4", ".aac": "audio/aac", ".oga": "audio/ogg", ".ogg": "audio/ogg", ".opus": "audio/ogg",
	".wav": "audio/wav", ".flac": "audio/flac", ".weba": "audio/webm", ".mid": "audio/midi", ".midi": "audio/midi",
	".mp4": "video/mp4", ".m4v": "video/mp4", ".webm": "video/webm", ".ogv": "video/ogg", ".mov": "video/quicktime", ".qt": "video/quicktime",
	".avi": "video/x-msvideo", ".mpeg": "video/mpeg", ".mpg": "video/mpeg", ".mkv": "video/matroska",
	".m4s": "video/iso.segment", ".ts": "video/mp2t", ".m3u8": "application/vnd.apple.mpegurl", ".mpd": "application/dash+xml",

	// Models
	".glb": "model/gltf-binary", ".gltf": "model/gltf+json", ".stl": "model/stl", ".obj": "model/obj", ".usdz": "model/vnd.usdz+zip",

	// Documents and packages
	".pdf": "application/pdf", ".epub": "application/epub+zip",
	".doc": "application/msword", ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	".xls": "application/vnd.ms-excel", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	".ppt": "application/vnd.ms-powerpoint", ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	".odt": "application/vnd.oasis.opendocument.text", ".ods": "application/vnd.oasis.opendocument.spreadsheet",
	".odp": "application/vnd.oasis.opendocument.presentation",
	".zip": "application/zip", ".gz": "application/gzip", ".tgz": "application/gzip", ".zst": "application/zstd",
	".bz2": "application/x-bzip2", ".xz": "application/x-xz", ".7z": "application/x-7z-compressed", ".tar": "application/x-tar",
	".rar": "application/vnd.rar", ".jar": "application/java-archive", ".apk": "application/vnd.android.package-archive",
	".deb": "application/vnd.debian.binary-package", ".rpm": "application/x-rpm",
	".bin": octets, ".exe": octets, ".dmg": octets, ".iso": octets, ".class": octets,
}

// contentType is the media type of the file's name: by the overrides, whose
// keys are extensions in lower case, then by the table. What is unknown is
// octets, so that no browser guesses.
func contentType(name string, overrides map[string]string) string {
	ext := strings.ToLower(path.Ext(name))
	if t := overrides[ext]; t != "" {
		return t
	}
	if t := contentTypes[ext]; t != "" {
		return t
	}
	return octets
}

// lowerTypes makes overrides' keys what contentType asks for: ".Foo" and "foo"
// are both ".foo".
func lowerTypes(types map[string]string) map[string]string {
	if len(types) == 0 {
		return nil
	}
	out := make(map[string]string, len(types))
	for ext, t := range types {
		out["."+strings.ToLower(strings.TrimPrefix(ext, "."))] = t
	}
	return out
}
