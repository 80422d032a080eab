//go:build linux && e2e

package browser_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// exchange sends JSON, if any, and reads JSON.
func exchange(ctx context.Context, method, url string, send, into any) error {
	var body io.Reader = http.NoBody
	if send != nil {
		text, err := json.Marshal(send)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: status %d: %s", method, url, answer.StatusCode, text)
	}
	return json.Unmarshal(text, into)
}

// hostile is a site of somebody else, at another port of localhost, which is
// the same site for cookies, and at an address, which is another one. It keeps
// all that it is sent.
type hostile struct {
	urls []string

	mu  sync.Mutex
	got []string // method, URL, Referer and body
}

func startHostile(t *testing.T) *hostile {
	h := &hostile{}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /hostile", func(w http.ResponseWriter, _ *http.Request) { html(w, hostilePage) })
	mux.HandleFunc("POST /home", func(http.ResponseWriter, *http.Request) {})
	// What was caught is out of the address at once, so that it is counted once.
	mux.HandleFunc("GET /caught", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery != "" {
			http.Redirect(w, r, "/caught", http.StatusSeeOther)
			return
		}
		html(w, []byte("<!doctype html><title>Caught</title>"))
	})
	v4, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, err := net.SplitHostPort(v4.Addr().String())
	must(t, err)
	h.urls = []string{"http://localhost:" + port, "http://127.0.0.1:" + port}
	kept := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h.mu.Lock()
		h.got = append(h.got, strings.Join([]string{r.Method, r.URL.String(), r.Referer(), string(body)}, " "))
		h.mu.Unlock()
		mux.ServeHTTP(w, r)
	})
	serve(t, v4, kept)
	if v6, err := net.Listen("tcp", "[::1]:"+port); err == nil {
		serve(t, v6, kept)
	}
	return h
}

// wantOnlyItsOwnCodes expects that no code came, but for those of the site's
// own registration: one at each of its origins.
func (h *hostile) wantOnlyItsOwnCodes(t *testing.T) {
	t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	own, home := 0, 0
	for _, got := range h.got {
		method, rest, _ := strings.Cut(got, " ")
		address, _, _ := strings.Cut(rest, " ")
		if method == http.MethodPost {
			home++
		}
		if u, err := url.Parse(address); err == nil && u.Query().Get("state") == "registered" && u.Query().Get("code") != "" {
			own++
			continue
		}
		if strings.Contains(got, "code=") {
			t.Errorf("the hostile page has a code: %s", got)
		}
	}
	if own != len(h.urls) || home != len(h.urls) {
		t.Errorf("%d codes of its own and %d reports came home, want %d of each", own, home, len(h.urls))
	}
}
