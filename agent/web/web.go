// Package web is the diagnostics page: plain modules and styles, embedded as
// they are written. It holds no data and knows nothing of the daemon: the page
// asks the API for all that it shows.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"path"
	"strings"
)

// Policy is the Content-Security-Policy of the page: it loads and asks nothing
// but this daemon, runs no text as code, and is framed by nobody.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// Permissions is its Permissions-Policy: of all that a browser can do it only
// writes to the clipboard.
const Permissions = "accelerometer=(), camera=(), clipboard-read=(), clipboard-write=(self), display-capture=(), geolocation=(), gyroscope=(), hid=(), " +
	"identity-credentials-get=(), magnetometer=(), microphone=(), midi=(), payment=(), publickey-credentials-create=(), publickey-credentials-get=(), serial=(), usb=()"

//go:embed page
var embedded embed.FS

// File is a file of the page, as it is sent.
type File struct {
	Type string // media type
	// ETag is empty for the page itself, which no browser keeps.
	ETag string
	Body []byte
}

// types are the media types of what there is; another ending is none of the
// page's files.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

var files = load(embedded)

// Find finds a file by the path of its address.
func Find(address string) (File, bool) {
	file, ok := files[address]
	return file, ok
}

// load reads all files: the page itself is at /, the others in /assets.
func load(from fs.FS) map[string]File {
	all := make(map[string]File)
	err := fs.WalkDir(from, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := fs.ReadFile(from, name)
		kind, known := types[path.Ext(name)]
		if err != nil || !known {
			return err
		}
		if name == "page/index.html" {
			all["/"] = File{Type: kind, Body: body}
			return nil
		}
		sum := sha256.Sum256(body)
		all["/assets/"+strings.TrimPrefix(name, "page/")] = File{Type: kind, ETag: `"` + hex.EncodeToString(sum[:12]) + `"`, Body: body}
		return nil
	})
	if err != nil {
		panic("web: " + err.Error()) // embedded, so it cannot fail
	}
	return all
}
