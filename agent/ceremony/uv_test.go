package ceremony

import (
	"strings"
	"testing"

	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// getInfo makes an authenticatorGetInfo of words; a word with a minus is an
// option that is false.
func getInfo(words string) *fido.Info {
	info := &fido.Info{Options: map[string]bool{}}
	for word := range strings.FieldsSeq(words) {
		if word == "forcePINChange" {
			info.ForcePINChange = true
			continue
		}
		name, off := strings.CutPrefix(word, "-")
		info.Options[name] = !off
	}
	return info
}

func TestHowTheUserIsVerified(t *testing.T) {
	t.Parallel()
	const (
		required, preferred, discouraged = webauthn.Required, webauthn.Preferred, webauthn.Discouraged

		none    = "-clientPin"
		ctap20  = "clientPin"
		ctap21  = "clientPin pinUvAuthToken makeCredUvNotRqd"
		bio     = "clientPin uv pinUvAuthToken makeCredUvNotRqd"
		bioOnly = "uv pinUvAuthToken makeCredUvNotRqd"
		bio20   = "clientPin uv"
		cannot  = uvWay(-1)
	)
	for _, row := range []struct {
		options string
		ask     uvAsk
		want    uvWay
	}{
		// A key without anything set up.
		{none, uvAsk{requirement: required}, cannot},
		{none, uvAsk{requirement: preferred}, uvNone},
		{none, uvAsk{requirement: discouraged}, uvNone},
		{none, uvAsk{requirement: required, create: true}, cannot},
		{none, uvAsk{requirement: preferred, create: true}, uvNone},
		{none, uvAsk{requirement: discouraged, create: true, discoverable: true}, uvNone},
		{none + " alwaysUv", uvAsk{requirement: discouraged}, cannot},
		// A PIN. For a new credential CTAP 2.0 insists on it.
		{ctap20, uvAsk{requirement: required}, uvPIN},
		{ctap20, uvAsk{requirement: preferred}, uvPIN},
		{ctap20, uvAsk{requirement: discouraged}, uvNone},
		{ctap20, uvAsk{requirement: discouraged, create: true}, uvPIN},
		{ctap21, uvAsk{requirement: required, create: true}, uvPIN},
		{ctap21, uvAsk{requirement: preferred, create: true}, uvPIN},
		{ctap21, uvAsk{requirement: discouraged, create: true}, uvNone},
		{ctap21, uvAsk{requirement: discouraged, create: true, discoverable: true}, uvPIN},
		{ctap21, uvAsk{requirement: discouraged}, uvNone},
		{ctap21, uvAsk{requirement: discouraged, pin: true}, uvNone},
		{ctap21 + " alwaysUv", uvAsk{requirement: discouraged}, uvPIN},
		{ctap21 + " forcePINChange", uvAsk{requirement: required}, cannot},
		{ctap21 + " forcePINChange", uvAsk{requirement: discouraged}, uvNone},
		// A finger, unless a PIN is at hand.
		{bio, uvAsk{requirement: required}, uvOwn},
		{bio, uvAsk{requirement: preferred}, uvOwn},
		{bio, uvAsk{requirement: required, pin: true}, uvPIN},
		{bio, uvAsk{requirement: discouraged, create: true, discoverable: true}, uvOwn},
		{bio + " forcePINChange", uvAsk{requirement: required}, uvOwn},
		{bio + " alwaysUv", uvAsk{requirement: discouraged}, uvOwn},
		{bio + " noMcGaPermissionsWithClientPin", uvAsk{requirement: required, pin: true}, uvOwn},
		{bioOnly, uvAsk{requirement: required, pin: true}, uvOwn},
		{bio20, uvAsk{requirement: required}, uvOption},
		{bio20, uvAsk{requirement: required, pin: true}, uvPIN},
		{ctap21 + " -uv", uvAsk{requirement: required}, uvPIN},
		{ctap21 + " noMcGaPermissionsWithClientPin", uvAsk{requirement: required}, cannot},
	} {
		got, err := planUV(getInfo(row.options), row.ask)
		switch {
		case row.want == cannot:
			if failure.CodeOf(err) != failure.WebAuthnUnable {
				t.Errorf("%s, %+v: %d, %v", row.options, row.ask, got, err)
			}
		case err != nil || got != row.want:
			t.Errorf("%s, %+v: %d, %v, want %d", row.options, row.ask, got, err, row.want)
		}
	}
}

func TestWhatIsToBeDeletedIsMadeWithAPIN(t *testing.T) {
	t.Parallel()
	c := &webauthn.Creation{UV: webauthn.Preferred}
	for _, row := range []struct {
		token, pin bool
		want       uvWay
	}{{false, false, uvOwn}, {true, false, uvPIN}, {false, true, uvPIN}} {
		ask := creationAsk(c, true, row.token, row.pin)
		if got, err := planUV(getInfo("clientPin uv pinUvAuthToken"), ask); err != nil || got != row.want || !ask.create || !ask.discoverable {
			t.Errorf("%+v: %d, %v, %+v", row, got, err, ask)
		}
	}
}

func TestWhatAKeySaysHasACode(t *testing.T) {
	t.Parallel()
	for status, want := range map[fido.Status]failure.Code{
		fido.CTAP2_ERR_USER_ACTION_TIMEOUT:   failure.TouchTimeout,
		fido.CTAP2_ERR_OPERATION_DENIED:      failure.TouchTimeout,
		fido.CTAP2_ERR_CREDENTIAL_EXCLUDED:   failure.WebAuthnExcluded,
		fido.CTAP2_ERR_NO_CREDENTIALS:        failure.WebAuthnNone,
		fido.CTAP2_ERR_PIN_INVALID:           failure.PINRefused,
		fido.CTAP2_ERR_PIN_BLOCKED:           failure.PINRefused,
		fido.CTAP2_ERR_PIN_AUTH_BLOCKED:      failure.PINRefused,
		fido.CTAP2_ERR_UNSUPPORTED_ALGORITHM: failure.WebAuthnUnable,
		fido.CTAP2_ERR_KEY_STORE_FULL:        failure.KeyRefused,
		fido.Status(0xf2):                    failure.KeyRefused,
	} {
		err := keyFailure(&fido.StatusError{Command: 1, Status: status})
		if failure.CodeOf(err) != want {
			t.Errorf("%s: %v, want %s", status, err, want)
		}
	}
	err := keyFailure(&fido.StatusError{Command: 1, Status: fido.CTAP2_ERR_KEY_STORE_FULL})
	if e := codeOr(err, failure.Internal, ""); e.Detail != "CTAP2_ERR_KEY_STORE_FULL (0x28)" {
		t.Errorf("detail %q", e.Detail)
	}
	for _, row := range []struct {
		err  error
		want failure.Code
	}{
		{fido.ErrGone, failure.KeyGone},
		{fido.ErrMute, failure.KeyMute},
		{fido.ErrInUse, failure.KeyBusy},
		{fido.ErrForbidden, failure.KeyForbidden},
		{&fido.FrameError{Reason: "x"}, failure.KeyHostile},
		{fido.ErrMalformed, failure.KeyUnreadable},
		{fido.ErrUnsupported, failure.WebAuthnUnable},
		{&failure.Error{Code: failure.PINFormat, Err: fido.ErrGone}, failure.PINFormat},
	} {
		if err := keyFailure(row.err); failure.CodeOf(err) != row.want {
			t.Errorf("%v: %v, want %s", row.err, err, row.want)
		}
	}
}
