package api

import (
	"bytes"
	"net/http"
	"time"

	"authbridge/agent/failure"
	"authbridge/agent/web"
)

// pageFile is the file of the diagnostics page that a request asks for. The
// files hold no data: whoever may reach the daemon may have them, without a
// token, for a browser has none before it has the page.
func pageFile(r *http.Request) (web.File, bool) {
	if stateChanging(r.Method) {
		return web.File{}, false
	}
	return web.Find(r.URL.Path)
}

// guardPage is what is asked of who wants a file: all that is asked of others,
// but who they are.
func guardPage(r *http.Request) *failure.Error {
	d := doorOf(r.Context())
	if d == nil {
		return noDoor()
	}
	if e := checkOrigins(d, r); e != nil {
		return e
	}
	if r.URL.RawQuery != "" {
		return refuse(failure.BadRequest, "query", "the page takes no query")
	}
	return readBody(nil, r)
}

// opensPage is whether a browser opens the page in a tab of its own, whoever
// led it there: `authbridge open` does so by a file, which every browser takes
// for another site. It says nothing to who led it there, and has no data. A
// frame, a script or a picture is not let in.
func opensPage(r *http.Request) bool {
	mode, dest := r.Header["Sec-Fetch-Mode"], r.Header["Sec-Fetch-Dest"]
	return r.Method == http.MethodGet && r.URL.Path == "/" && len(r.Header["Sec-Fetch-Site"]) == 1 &&
		len(mode) == 1 && mode[0] == "navigate" && len(dest) == 1 && dest[0] == "document"
}

// sendFile answers with a file. Assets are asked for anew each time, so that a
// page never mixes those of two versions.
func sendFile(w http.ResponseWriter, r *http.Request, file web.File) {
	h := w.Header()
	h["Content-Type"] = []string{file.Type}
	h["Content-Security-Policy"] = []string{web.Policy}
	h["Permissions-Policy"] = []string{web.Permissions}
	if file.ETag != "" {
		h["Cache-Control"] = []string{"no-cache"}
		h["Etag"] = []string{file.ETag}
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(file.Body))
}
