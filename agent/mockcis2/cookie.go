package mockcis2

import (
	"net/http"
	"time"
)

// Cookies ignore ports: those of two services on one machine would overwrite
// each other, so their names have it. Over TLS the prefix __Host- makes sure
// that nobody but this host has set them; over plain HTTP no prefix can be had,
// and nothing but a login of the browser's own is bound to them.
type cookies struct {
	browser, session string
	secure           bool
}

func newCookies(port string, secure bool) cookies {
	prefix := ""
	if secure {
		prefix = "__Host-"
	}
	return cookies{browser: prefix + "mockcis2-browser-" + port, session: prefix + "mockcis2-session-" + port, secure: secure}
}

// read is the value of a cookie, and empty where there is none or it is not of
// our making.
func (c cookies) read(r *http.Request, name string) string {
	all := r.CookiesNamed(name)
	if len(all) != 1 || len(all[0].Value) != secretLength || !base64URL(all[0].Value) {
		return ""
	}
	return all[0].Value
}

func (c cookies) set(w http.ResponseWriter, name, value string, age time.Duration) {
	// Lax: an application on another site sends the browser here, and its
	// session comes along.
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is set where there is TLS
		Name: name, Value: value, Path: "/", MaxAge: int(age / time.Second),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (c cookies) drop(w http.ResponseWriter, name string) { c.set(w, name, "", -time.Second) }
