package ceremony

import (
	"context"
	"time"

	"authbridge/agent/failure"
	"authbridge/fido"
)

// undo deletes a discoverable credential that nobody will use, kept or not.
func (u *keyUse) undo(id []byte) string {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(u.a.ctx), undoing)
	defer cancel()
	err := u.keepToken(ctx, false)
	if err == nil {
		err = u.key.Delete(ctx, u.s.token, id)
	}
	if err != nil {
		return "a discoverable credential was made all the same, and is still in the key: " + reason(keyFailure(err))
	}
	if !u.s.grant.Keep {
		u.s.made--
		u.untrace()
	}
	return "a discoverable credential was made all the same, and deleted again"
}

// keepForLater is keepToken for a credential that was just made. A ceremony that
// ends meanwhile does not cut off a PIN that is on its way: nobody would know
// whether it was right, and with what the credential is to be deleted.
func (u *keyUse) keepForLater() error {
	ctx := u.a.ctx
	if u.pin != nil {
		longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
		defer cancel()
		stop := context.AfterFunc(ctx, func() { time.AfterFunc(undoing, cancel) })
		defer stop()
		ctx = longer
	}
	return u.keepToken(ctx, true)
}

// keepToken gets the station the token with which it deletes what was made, as
// long as the PIN is at hand: the touch has taken its permissions from the
// other one (CTAP 2.1, 6.1.2 step 14). Where there is no PIN, a person may be
// there to be verified by the key once more.
func (u *keyUse) keepToken(ctx context.Context, person bool) error {
	var token *fido.Token
	var err error
	switch {
	case u.pin != nil:
		token, err = u.send(ctx, u.pin, u.from, fido.PermitCredentialManagement, "")
	case person && u.info.Has("uv") && u.info.Has("pinUvAuthToken"):
		token, err = u.key.UVToken(ctx, fido.PermitCredentialManagement, "", u.keepalive())
	default:
		err = &failure.Error{Code: failure.PINRequired}
	}
	if err == nil {
		// One that is not used within 30 s ends (CTAP 2.1, 6.5.2.1).
		_, err = u.key.Stored(ctx, token, u.rpID())
	}
	if err != nil {
		token.Forget()
		return keyFailure(err)
	}
	u.voided = false
	u.s.keeps(token)
	return nil
}

func (u *keyUse) rpID() string {
	if u.a.creation != nil {
		return u.a.creation.RPID
	}
	return u.a.get.RPID
}
