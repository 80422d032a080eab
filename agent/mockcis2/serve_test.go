package mockcis2_test

import (
	"net/http"
	"net/http/httptest"

	"authbridge/agent/mockcis2"
)

// serve asks a server without a network.
func serve(s *mockcis2.Server, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, http.NoBody)
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Host" {
			r.Host = header[i+1]
			continue
		}
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}
