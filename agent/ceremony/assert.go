package ceremony

import (
	"encoding/base64"
	"strings"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// assert carries out navigator.credentials.get.
func (s *station) assert(a *act, w *work) (*contract.CeremonyResult, error) {
	u, err := s.begin(a, w)
	if err != nil {
		return nil, err
	}
	defer u.end()
	token, uv, err := u.permit(uvAsk{requirement: a.get.UV, pin: w.request.PIN != nil}, fido.PermitGetAssertion, a.get.RPID)
	if err != nil {
		return nil, err
	}
	defer token.Forget()
	request := fido.GetAssertion{ClientDataHash: a.get.ClientDataHash, RPID: a.get.RPID, UV: uv}
	for _, d := range a.get.Allow {
		request.Allow = append(request.Allow, d.ID)
	}
	assertions, err := u.key.Assert(a.ctx, request, token, u.keepalive())
	if err != nil {
		return nil, s.deletedBefore(keyFailure(err))
	}
	chosen, err := choose(assertions, w.request.Account)
	if err != nil {
		return nil, err
	}
	answer := webauthn.Asserted{CredentialID: chosen.CredentialID, AuthData: chosen.AuthData, Signature: chosen.Signature}
	if chosen.User != nil {
		answer.UserHandle = chosen.User.ID
	}
	response, err := a.get.Respond(answer)
	if err != nil {
		return nil, webauthnFailure(err)
	}
	return &contract.CeremonyResult{Credential: response, Accounts: accounts(assertions)}, nil
}

// deletedBefore says why a key may have no credential any more.
func (s *station) deletedBefore(err error) error {
	e := codeOr(err, failure.Internal, "")
	if e.Code != failure.WebAuthnNone || len(s.early) == 0 {
		return err
	}
	return &failure.Error{Code: e.Code, Detail: joined(e.Detail, strings.Join(s.early, "; ")), Err: err}
}

// choose picks the account that a request names, by its user handle or name,
// else the first. A person who chose on the key itself has chosen.
func choose(all []fido.Assertion, account string) (*fido.Assertion, error) {
	if len(all) == 0 {
		return nil, &failure.Error{Code: failure.WebAuthnNone}
	}
	if account == "" || all[0].UserSelected {
		return &all[0], nil
	}
	for i := range all {
		if u := all[i].User; u != nil && (u.Name == account || base64.RawURLEncoding.EncodeToString(u.ID) == account) {
			return &all[i], nil
		}
	}
	if len(all) == 1 && all[0].User == nil {
		return &all[0], nil // the key tells nothing of its account
	}
	return nil, &failure.Error{Code: failure.WebAuthnNone, Field: "body.account", Detail: "the key tells of no such account"}
}

// accounts are those to choose from, where there are several.
func accounts(all []fido.Assertion) []contract.Account {
	if len(all) < 2 {
		return nil
	}
	var list []contract.Account
	for _, a := range all {
		if a.User != nil {
			list = append(list, contract.Account{
				ID: base64.RawURLEncoding.EncodeToString(a.User.ID), Name: a.User.Name, DisplayName: a.User.DisplayName,
			})
		}
	}
	return list
}
