package cis2

import "strings"

// uri is as much of RFC 3986 as is judged here.
type uri struct{ scheme, host, port, rest string }

// splitURI takes an absolute URI with a host apart; user information makes none.
func splitURI(s string) (uri, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || strings.ContainsFunc(s, unprintable) {
		return uri{}, false
	}
	authority, end := rest, ""
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		authority, end = rest[:i], rest[i:]
	}
	u := uri{scheme: scheme, host: authority, rest: end}
	if host, port, ok := cutLast(authority, ":"); ok && !strings.HasSuffix(port, "]") {
		u.host, u.port = host, port
	}
	if u.host == "" || strings.Contains(authority, "@") || strings.Trim(u.port, "0123456789") != "" {
		return uri{}, false
	}
	return u, true
}

func unprintable(r rune) bool { return r <= ' ' || r >= 0x7f || r == '\\' }

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (u uri) loopback() bool {
	return u.host == "localhost" || u.host == "[::1]" || strings.HasPrefix(u.host, "127.")
}
