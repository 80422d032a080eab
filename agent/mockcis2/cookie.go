package mockcis2

import (
	"net/http"
	"time"
)

// Cookies ignore ports: those of two services on one machine would overwrite
// each other, so their names have it. Each login has a cookie of its own, which
// is for its path alone: sign-ins in two tabs do not know of each other. Over
// TLS the prefixes, of which __Host- is for the path / alone, make sure that
// they came over TLS; over plain HTTP no prefix can be had, and nothing but a
// login of the browser's own is bound to them.
type cookies struct {
	login, registration, session string
	secure                       bool
}

func newCookies(port string, secure bool) cookies {
	c := cookies{
		login: "mockcis2-login-" + port, registration: "mockcis2-registration-" + port, session: "mockcis2-session-" + port, secure: secure,
	}
	if secure {
		c.login, c.registration, c.session = "__Secure-"+c.login, "__Host-"+c.registration, "__Host-"+c.session
	}
	return c
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

func (c cookies) set(w http.ResponseWriter, name, value, path string, age time.Duration) {
	// Lax: an application on another site sends the browser here, and its
	// session comes along.
	http.SetCookie(w, &http.Cookie{ //nolint:gosec // Secure is set where there is TLS
		Name: name, Value: value, Path: path, MaxAge: int(age / time.Second),
		HttpOnly: true, Secure: c.secure, SameSite: http.SameSiteLaxMode,
	})
}

func (c cookies) drop(w http.ResponseWriter, name, path string) {
	c.set(w, name, "", path, -time.Second)
}
