package mockcis2

import (
	"net/http"
	"strings"
)

// door is who may come in to a route, as far as a request of a browser shows
// where it comes from (Fetch Metadata, RFC 6454).
type door int

const (
	// public answers anybody, with nothing that is anybody's own, and no CORS.
	public door = iota
	// front is where applications send browsers: whole pages may come from
	// anywhere; frames, scripts and images may not.
	front
	// inside is for what our own pages lead to.
	inside
	// servers is for programs: no request that a page of any origin can make
	// comes in, our own pages included.
	servers
)

// opens is whether a request may come in, by its headers. Programs that are no
// browser send none of them. Sec-Fetch-Site tells browsers: fetch of Node.js
// sends Sec-Fetch-Mode too.
func (d door) opens(r *http.Request, origin string) bool {
	site, from := r.Header.Get("Sec-Fetch-Site"), r.Header.Values("Origin")
	switch d {
	case front:
		return site == "" || r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document"
	case inside:
		if site != "" && site != "same-origin" && site != "none" {
			return false
		}
		if dest := r.Header.Get("Sec-Fetch-Dest"); site != "" && dest != "document" && dest != "empty" {
			return false
		}
		return len(from) == 0 || len(from) == 1 && from[0] == origin
	case servers:
		return site == "" && len(from) == 0
	}
	return true
}

// hosts are the values of Host that mean this server: a name that an attacker's
// DNS gives out is none.
func (s *Server) knows(host string) bool {
	return strings.EqualFold(host, s.host) || strings.EqualFold("//"+host, strings.TrimPrefix(strings.TrimPrefix(s.origin, "https:"), "http:"))
}

// secure are the headers of every answer.
func secure(h http.Header) {
	h.Set("Cache-Control", "no-store")
	h.Set("Pragma", "no-cache")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	// With no-referrer a browser sends "Origin: null" with our own forms.
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}
