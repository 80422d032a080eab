package mockcis2

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"authbridge/agent/cis2"
)

// RFC 6238 as authenticator applications have it.
const (
	totpPeriod    = 30 // seconds
	totpSkew      = 1  // steps before and after
	totpTries     = 5  // wrong codes, within
	totpTriesFor  = 5 * time.Minute
	totpSecretLen = 20 // octets
)

// totpRecord is the Record of a registered application.
type totpRecord struct {
	Secret string `json:"secret"` // base32
}

// totpSecret is the secret configured for a user, or else the one registered
// last; empty where there is none. The caller wipes it.
func (s *Server) totpSecret(ctx context.Context, user *User) ([]byte, error) {
	if user.TOTP != nil {
		secret, err := user.TOTP()
		if err != nil {
			s.ill("totp", err)
		}
		return secret, err
	}
	keys, err := s.config.Store.Keys(ctx, user.UUID)
	if err != nil {
		s.ill("keys", err)
		return nil, err
	}
	var record totpRecord
	for _, key := range keys {
		if key.Authenticator != cis2.TOTP {
			continue
		}
		if err := json.Unmarshal(key.Record, &record); err != nil {
			s.ill("keys", err)
			return nil, err
		}
	}
	return []byte(record.Secret), nil
}

// totpStep is the step whose code was given, later than the last one used.
func totpStep(secret []byte, code string, last uint64, now time.Time) (uint64, bool) {
	current := uint64(max(now.Unix(), 0)) / totpPeriod
	for step := current - min(current, totpSkew); step <= current+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(string(secret), step, hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && same(want, code) && step > last {
			return step, true
		}
	}
	return 0, false
}

// answerTOTP checks a code: good once, and five wrong ones make the user wait.
func (s *Server) answerTOTP(ctx context.Context, l *login, code string, now time.Time) {
	var user *User
	s.at(l, stageTOTP, func() { user = s.book.users[l.user] })
	if user == nil {
		return
	}
	secret, err := s.totpSecret(ctx, user)
	defer clear(secret)
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	s.at(l, stageTOTP, func() {
		tried := "totp " + user.UUID
		switch {
		case !s.book.mayTry(tried, totpTries, now):
			l.problem = "Too many wrong codes. Wait five minutes."
		case s.book.isLent(user.UUID, code, now):
			l.authenticated(user, cis2.TOTP, now)
		case err != nil || len(secret) == 0:
			l.problem = unwell
		default:
			step, ok := totpStep(secret, code, s.book.steps[user.UUID], now)
			if !ok {
				s.book.failed(tried, totpTriesFor, now)
				l.problem = "The code is wrong, or was used before."
				return
			}
			s.book.steps[user.UUID] = step
			l.authenticated(user, cis2.TOTP, now)
		}
	})
}
