package ceremony

import (
	"bytes"
	"context"
	"slices"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// create carries out navigator.credentials.create.
func (s *station) create(a *act, w *work) (*contract.CeremonyResult, error) {
	u, err := s.begin(a, w)
	if err != nil {
		return nil, err
	}
	defer u.end()
	make, err := u.making(a.creation)
	if err != nil {
		return nil, err
	}
	temporary := make.ResidentKey && !s.grant.Keep
	want := fido.PermitMakeCredential
	if len(make.Exclude) > 1 {
		// A list that the key does not take at once is looked through by
		// assertions.
		want |= fido.PermitGetAssertion
	}
	looks := make.ResidentKey && s.grant.Authenticator.Origin == contract.Physical && manages(u.info)
	if looks {
		want |= fido.PermitCredentialManagement
	}
	ask := creationAsk(a.creation, make.ResidentKey, temporary || looks && !u.info.Has("pinUvAuthToken"), w.request.PIN != nil)
	token, uv, err := u.permit(ask, want, a.creation.RPID)
	if err != nil {
		return nil, err
	}
	defer token.Forget()
	if looks {
		if err := u.unknownAccount(token, a.creation); err != nil {
			return nil, err
		}
	}
	if temporary {
		if err := s.trace(a.ctx, a.creation); err != nil {
			return nil, err
		}
	}
	make.UV = uv
	made, err := u.key.Make(a.ctx, *make, token, u.keepalive())
	if err != nil {
		return nil, u.unmade(err, temporary)
	}
	return u.made(made, make, temporary)
}

// creationAsk is what a creation asks of a key's user verification. A PIN goes
// before the key's own where that gives no token to look with, or where the
// credential is to be deleted again: that needs another token, and so would
// another finger.
func creationAsk(c *webauthn.Creation, discoverable, token, pin bool) uvAsk {
	return uvAsk{requirement: c.UV, create: true, discoverable: discoverable, pin: pin || token}
}

// making is what the key is asked for, of what it can do.
func (u *keyUse) making(c *webauthn.Creation) (*fido.MakeCredential, error) {
	rk, err := u.discoverable(c.ResidentKey)
	if err != nil {
		return nil, err
	}
	protects := slices.Contains(u.info.Extensions, "credProtect")
	switch {
	case c.Attachment == "platform":
		return nil, unable("authenticatorSelection.authenticatorAttachment is platform, and this is a security key")
	case c.CredProtect > 1 && c.EnforceCredProtect && !protects:
		return nil, unable("the key has no extension credProtect")
	}
	request := &fido.MakeCredential{
		ClientDataHash: c.ClientDataHash,
		RP:             fido.RelyingParty{ID: c.RPID, Name: c.RPName},
		User:           fido.User{ID: c.UserID, Name: c.UserName, DisplayName: c.DisplayName},
		Algorithms:     c.Algorithms, ResidentKey: rk,
	}
	if protects {
		request.CredProtect = c.CredProtect
	}
	for _, d := range c.Exclude {
		request.Exclude = append(request.Exclude, d.ID)
	}
	return request, nil
}

// discoverable decides whether the credential is to be one (DESIGN rule 8):
// on a physical key only where the options insist, and nowhere if it could not
// be deleted when the lease ends.
func (u *keyUse) discoverable(wish webauthn.Requirement) (bool, error) {
	able := u.info.Has("rk")
	permits := u.info.Has("clientPin") || u.info.Has("uv") && u.info.Has("pinUvAuthToken")
	deletes := u.s.grant.Keep || manages(u.info) && permits
	if wish == webauthn.Required {
		switch {
		case !able:
			return false, unable("the key keeps no discoverable credentials")
		case !manages(u.info) && !deletes:
			return false, &failure.Error{Code: failure.KeyCannotDelete, Detail: "it has no credential management"}
		case !deletes:
			return false, &failure.Error{Code: failure.KeyCannotDelete, Detail: "its credential management needs a PIN, and none is set"}
		}
		return true, nil
	}
	return wish == webauthn.Preferred && able && deletes && u.s.grant.Authenticator.Origin == contract.Virtual, nil
}

// manages is whether a key can list and delete its discoverable credentials:
// by CTAP 2.1, or by its prototype, which many keys have.
func manages(info *fido.Info) bool { return info.Has("credMgmt") || info.Has("credentialMgmtPreview") }

// unknownAccount refuses what would overwrite a credential that is in a key, or
// what might: without a token a key does not tell.
func (u *keyUse) unknownAccount(token *fido.Token, c *webauthn.Creation) error {
	if token == nil {
		return unable("without a PIN the key does not tell whether it holds a credential of this account already")
	}
	stored, err := u.key.Stored(u.a.ctx, token, c.RPID)
	if err != nil {
		return keyFailure(err)
	}
	if slices.ContainsFunc(stored, func(s fido.Stored) bool { return bytes.Equal(s.User.ID, c.UserID) }) {
		return &failure.Error{Code: failure.KeyKnowsAccount, Detail: "relying party " + c.RPID}
	}
	return nil
}

// trace writes down what is about to be made, before it is: its deletion then
// does not depend on how the daemon ends.
func (s *station) trace(ctx context.Context, c *webauthn.Creation) error {
	err := s.c.store.PutTrace(ctx, store.Trace{
		Lease: s.grant.Lease, Authenticator: s.grant.Authenticator.ID,
		RPID: c.RPID, User: c.UserID, At: s.c.now(),
	})
	if err == nil {
		s.made++
	}
	return err
}

// unmade is what to say of a key that made nothing, or may have.
func (u *keyUse) unmade(err error, traced bool) error {
	failed := keyFailure(err)
	if definite(err) {
		if traced {
			u.s.made--
			u.untrace()
		}
		return failed
	}
	text := "the key may have made the credential all the same"
	if !traced {
		text += ", of which it keeps nothing"
	}
	if u.a.ctx.Err() != nil {
		return &lateError{text}
	}
	e := codeOr(failed, failure.Internal, "")
	return &failure.Error{Code: e.Code, Detail: joined(e.Detail, text), Err: e}
}

// untrace forgets what was written down, if nothing of it was made.
func (u *keyUse) untrace() {
	if u.s.made > 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.a.ctx), recordTime)
	defer cancel()
	if err := u.s.c.store.DeleteTraces(ctx, u.s.grant.Lease); err != nil {
		u.s.c.config.Log.WithField("lease", u.s.grant.Lease).WithError(err).Warn("a trace of nothing stays")
	}
}

// made is what to say of a credential that was made, perhaps too late.
func (u *keyUse) made(made *fido.Credential, asked *fido.MakeCredential, temporary bool) (*contract.CeremonyResult, error) {
	transports := u.info.Transports
	if len(transports) == 0 {
		transports = []string{"usb"}
	}
	response, err := u.a.creation.Respond(webauthn.Made{
		Format: made.Format, AuthData: made.AuthData, Statement: made.Statement,
		Transports: transports, Discoverable: asked.ResidentKey,
	})
	late := u.a.ctx.Err() != nil
	if !late && err == nil {
		result := &contract.CeremonyResult{Credential: response}
		if temporary {
			if err := u.keepForLater(); err != nil {
				result.Remarks = append(result.Remarks, "the credential may stay in "+u.s.grant.Authenticator.Name+" when the lease ends: "+reason(err))
			}
		}
		if late = temporary && u.a.ctx.Err() != nil; !late {
			return result, nil
		}
	}
	text := "a credential was made all the same, of which the key keeps nothing"
	if asked.ResidentKey {
		text = u.undo(made.ID)
	}
	if late {
		return nil, &lateError{text}
	}
	e := codeOr(webauthnFailure(err), failure.Internal, "")
	return nil, &failure.Error{Code: e.Code, Detail: joined(e.Detail, text), Err: e}
}
