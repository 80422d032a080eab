package ceremony

import (
	"context"
	"errors"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// keyFloor is how many PIN tries of a key are never spent (DESIGN rule 1).
const keyFloor = 3

// permit gets what the plan says: a token, or the option uv, or nothing.
func (u *keyUse) permit(ask uvAsk, want fido.Permissions, rpID string) (token *fido.Token, uv bool, err error) {
	if u.s.made > 0 && u.s.grant.Authenticator.Origin == contract.Physical {
		// Without a PIN, the touch to come would be the end of the token that
		// deletes what was made.
		ask.pin = true
		if ask.requirement == webauthn.Discouraged {
			ask.requirement = webauthn.Preferred
		}
	}
	way, err := planUV(u.info, ask)
	if err != nil {
		return nil, false, err
	}
	u.voided = true // by what follows, if not by the token
	if way == uvOwn {
		token, err = u.key.UVToken(u.a.ctx, want, rpID, u.keepalive())
		var status *fido.StatusError
		if errors.As(err, &status) && hasPIN(u.info) && !u.info.ForcePINChange && (status.Status == fido.CTAP2_ERR_UV_BLOCKED || status.Status == fido.CTAP2_ERR_UV_INVALID) {
			way = uvPIN // as the key's own prompt would have it (CTAP 2.1, 6.5.5.7.3)
		} else if err != nil {
			return nil, false, keyFailure(err)
		}
	}
	if way == uvPIN {
		token, err = u.pinToken(u.a.ctx, want, rpID)
	}
	return token, way == uvOption, err
}

// pinToken gets a token for a PIN: the one that was right before in this
// ceremony, or one that is asked for. Only a person may try again.
func (u *keyUse) pinToken(ctx context.Context, want fido.Permissions, rpID string) (*fido.Token, error) {
	again := false
	for {
		pin, from, err := u.known(ctx, again)
		if err != nil {
			return nil, err
		}
		token, err := u.send(ctx, pin, from, want, rpID)
		if err == nil {
			u.pin, u.from = pin, from
			return token, nil
		}
		clear(pin)
		u.pin = nil
		if code := failure.CodeOf(err); from != Person || code != failure.PINRefused && code != failure.PINRefusedBefore {
			return nil, err
		}
		again = true
	}
}

// known gets a PIN. While a person is asked, the key is closed: other programs
// may use it meanwhile, and it may be unplugged and come back.
func (u *keyUse) known(ctx context.Context, again bool) ([]byte, Source, error) {
	if u.pin != nil {
		return u.pin, u.from, nil
	}
	if !u.w.asks() {
		return u.w.pin(ctx, pinAsk{again: again})
	}
	retries, err := u.retries(ctx)
	if err != nil {
		return nil, "", err
	}
	// Who would not be heard is not asked.
	if err := mayTry(retries.PIN, keyFloor, u.w.request.Override); err != nil {
		return nil, "", err
	}
	u.close()
	pin, from, err := u.w.pin(ctx, pinAsk{tries: retries.PIN, again: again})
	if err != nil {
		return nil, "", err
	}
	if err := u.open(ctx); err != nil {
		clear(pin)
		return nil, "", err
	}
	return pin, from, nil
}

func (u *keyUse) retries(ctx context.Context) (*fido.Retries, error) {
	retries, err := u.key.Retries(ctx)
	switch {
	case err != nil:
		return nil, keyFailure(err)
	case retries.PowerCycle:
		return nil, &failure.Error{
			Code:   failure.PINTooFewTries,
			Detail: "after three wrong PINs in a row the key takes none before it was unplugged and plugged in again (CTAP 2.1, 6.5.5.7)",
		}
	}
	return retries, nil
}

// send sends a copy of a PIN, by rule 1. The tries left are read in the same
// session just before.
func (u *keyUse) send(ctx context.Context, pin []byte, from Source, want fido.Permissions, rpID string) (*fido.Token, error) {
	retries, err := u.retries(ctx)
	if err != nil {
		return nil, err
	}
	var token *fido.Token
	err = u.s.c.pins.attempt(ctx, attempt{
		authenticator: u.s.grant.Authenticator.ID, kind: contract.SecurityKey, source: from, caller: u.w.caller(from),
		pin: append([]byte(nil), pin...), tries: retries.PIN, floor: keyFloor, override: u.override(),
	}, func(pin []byte) error {
		var err error
		token, err = u.key.PINToken(ctx, pin, want, rpID)
		return err
	})
	if err != nil {
		token.Forget()
		failed := keyFailure(err)
		if e := (*failure.Error)(nil); errors.Is(err, errUnanswered) && errors.As(failed, &e) {
			failed = &failure.Error{Code: e.Code, Detail: joined(e.Detail, errUnanswered.Error()), Err: err}
		}
		return nil, failed
	}
	return token, nil
}

// override is true once: it is for one attempt.
func (u *keyUse) override() bool {
	once := u.w.request.Override
	u.w.request.Override = false
	return once
}
