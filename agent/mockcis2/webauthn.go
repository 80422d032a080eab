package mockcis2

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"authbridge/agent/cis2"
)

// relyingParty is this server as WebAuthn has it. It is nil for a host that can
// be no RP ID, as an IP address.
func relyingParty(host, origin string) *webauthn.WebAuthn {
	w, err := webauthn.New(&webauthn.Config{
		RPID: host, RPDisplayName: "CIS2 mock", RPOrigins: []string{origin},
		AttestationPreference:  protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{UserVerification: protocol.VerificationRequired},
	})
	if err != nil {
		return nil
	}
	return w
}

// account is a user with some of the user's keys, as the library wants it.
type account struct {
	user *User
	keys []webauthn.Credential
}

func (a *account) WebAuthnID() []byte                         { return []byte(a.user.UUID) }
func (a *account) WebAuthnName() string                       { return a.user.UUID }
func (a *account) WebAuthnDisplayName() string                { return a.user.Given + " " + a.user.Family }
func (a *account) WebAuthnCredentials() []webauthn.Credential { return a.keys }

// accountOf reads a user's keys; of one authenticator only, unless it is empty.
func (s *Server) accountOf(ctx context.Context, user *User, with cis2.Authenticator) (*account, error) {
	keys, err := s.config.Store.Keys(ctx, user.UUID)
	if err != nil {
		return nil, err
	}
	a := &account{user: user}
	for _, key := range keys {
		if key.Authenticator == cis2.TOTP || with != "" && key.Authenticator != with {
			continue
		}
		var credential webauthn.Credential
		if err := json.Unmarshal(key.Record, &credential); err != nil {
			return nil, err
		}
		a.keys = append(a.keys, credential)
	}
	return a, nil
}

// beginWebAuthn asks for an assertion of one of the user's keys. The problem is
// for the page.
func (s *Server) beginWebAuthn(ctx context.Context, user *User, with cis2.Authenticator) (*webauthn.SessionData, json.RawMessage, string) {
	a, err := s.accountOf(ctx, user, with)
	if err != nil {
		return nil, nil, s.ill("keys", err)
	}
	if len(a.keys) == 0 {
		return nil, nil, "This user has no " + nameOf(with) + ". Register one first."
	}
	assertion, ceremony, err := s.webauthn.BeginLogin(a, webauthn.WithUserVerification(protocol.VerificationRequired))
	if err != nil {
		return nil, nil, s.ill("webauthn", err)
	}
	options, err := json.Marshal(assertion.Response)
	if err != nil {
		return nil, nil, s.ill("webauthn", err)
	}
	return ceremony, options, ""
}

// ill logs an error of our own and is what a page says of it.
func (s *Server) ill(what string, err error) string {
	s.config.Log.WithError(err).Error("mock: " + what)
	return unwell
}

// answerWebAuthn checks an assertion. Its challenge is good for one.
func (s *Server) answerWebAuthn(ctx context.Context, l *login, response string, now time.Time) {
	var ceremony *webauthn.SessionData
	var user *User
	var with cis2.Authenticator
	s.at(l, stageWebAuthn, func() {
		ceremony, l.ceremony = l.ceremony, nil
		user, with = s.book.users[l.user], l.with
	})
	if ceremony == nil || user == nil {
		return
	}
	err := s.assert(ctx, user, with, *ceremony, response, now)
	if err != nil {
		s.config.Log.WithField("client", l.client.ClientID).WithField("error", reason(err)).Info("mock: an assertion is refused")
	}
	s.at(l, stageWebAuthn, func() {
		if err != nil {
			l.restart("The " + nameOf(with) + " was refused: " + reason(err) + ".")
			return
		}
		l.authenticated(user, with, now)
	})
}

var errCounter = errors.New("its counter has not gone up, so it may be a copy")

// assert checks an assertion and keeps the key's counter, in one step.
func (s *Server) assert(ctx context.Context, user *User, with cis2.Authenticator, ceremony webauthn.SessionData, response string, now time.Time) error {
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(response))
	if err != nil {
		return err
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	a, err := s.accountOf(ctx, user, with)
	if err != nil {
		return err
	}
	credential, err := s.webauthn.ValidateLogin(a, ceremony, parsed)
	if err != nil {
		return err
	}
	if credential.Authenticator.CloneWarning {
		return errCounter
	}
	record, err := json.Marshal(credential)
	if err != nil {
		return err
	}
	keys, err := s.config.Store.Keys(ctx, user.UUID)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if string(key.ID) == string(credential.ID) {
			key.Record, key.Used = record, now
			return s.config.Store.SaveKey(ctx, key)
		}
	}
	return errors.New("the key is not registered any more")
}

// reason is the half of the library's errors that says something to a person.
func reason(err error) string {
	var e *protocol.Error
	if errors.As(err, &e) {
		return e.Details
	}
	if errors.Is(err, errCounter) || errors.Is(err, errFull) {
		return err.Error()
	}
	return "something went wrong in here"
}

// authenticatorOf is what a new key is: what its own data says goes before what
// somebody chose. A key that can be copied to other devices is a passkey, at
// AAL2; whether it is built in makes no difference to the level.
func authenticatorOf(c *webauthn.Credential) cis2.Authenticator {
	switch {
	case c.Flags.BackupEligible:
		return cis2.Passkey
	case c.Authenticator.Attachment == protocol.Platform:
		return cis2.Platform
	}
	return cis2.SecurityKey
}
