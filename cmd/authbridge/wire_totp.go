package main

import (
	"encoding/base32"
	"errors"

	"authbridge/platform"
)

// readTOTP reads the secret of the user's authenticator application when it is
// called; nil where the user has none.
func (u User) readTOTP() func() ([]byte, error) {
	if u.TOTPFile == "" {
		return nil
	}
	return func() ([]byte, error) { return readTOTP(u.TOTPFile) }
}

// readTOTP reads a secret as sign-in services show it: base32, in groups or not,
// in capitals or not. The caller wipes it. An error holds nothing of it.
func readTOTP(file string) ([]byte, error) {
	text, err := platform.ReadSecret(file)
	if err != nil {
		return nil, err
	}
	secret := text[:0] // in its place, so that one wipe is enough
	for _, c := range text {
		switch {
		case c == ' ' || c == '=':
			continue
		case 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		}
		secret = append(secret, c)
	}
	clear(text[len(secret):])
	raw := make([]byte, len(secret))
	defer clear(raw)
	if n, err := base32.StdEncoding.WithPadding(base32.NoPadding).Decode(raw, secret); err != nil || n == 0 {
		clear(secret)
		return nil, errors.New(file + ": it is no secret of an authenticator application, which is base32")
	}
	return secret, nil
}
