package mockcis2

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"slices"
	"time"
)

// lentApp is an authenticator application that somebody has for one sign-in: a
// login test's, whose user need have none and keeps none.
type lentApp struct {
	secret []byte // base32
	used   bool
}

// LendTOTP gives a user one more authenticator application, whose code is good
// once. Its secret is base32, and the caller's to wipe.
func (s *Server) LendTOTP(uuid string) (secret []byte, takeBack func(), err error) {
	raw := make([]byte, totpSecretLen)
	_, _ = rand.Read(raw) // never fails (crypto/rand)
	defer clear(raw)
	app := &lentApp{secret: base32.StdEncoding.WithPadding(base32.NoPadding).AppendEncode(nil, raw)}
	s.book.mu.Lock()
	defer s.book.mu.Unlock()
	if s.book.users[uuid] == nil {
		return nil, nil, errors.New("there is no such user")
	}
	s.book.lent[uuid] = append(s.book.lent[uuid], app)
	return slices.Clone(app.secret), func() { s.book.takeBack(uuid, app) }, nil
}

func (b *book) takeBack(uuid string, app *lentApp) {
	b.mu.Lock()
	defer b.mu.Unlock()
	clear(app.secret)
	rest := slices.DeleteFunc(b.lent[uuid], func(other *lentApp) bool { return other == app })
	if b.lent[uuid] = rest; len(rest) == 0 {
		delete(b.lent, uuid)
	}
}

// isLent is whether a code is that of an application lent to a user, and uses
// it. The mutex is held.
func (b *book) isLent(uuid, code string, now time.Time) bool {
	for _, app := range b.lent[uuid] {
		if _, right := totpStep(app.secret, code, 0, now); right && !app.used {
			app.used = true
			return true
		}
	}
	return false
}
