package ceremony

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"authbridge/agent/failure"
	"authbridge/agent/store"
	"authbridge/fido"
	"authbridge/fido/webauthn"
)

// webauthnFailure puts what is wrong with a call into our codes.
func webauthnFailure(err error) error {
	var e *webauthn.Error
	if !errors.As(err, &e) {
		return err
	}
	code := failure.WebAuthnOptions
	switch e.Kind {
	case webauthn.OriginRefused:
		code = failure.WebAuthnOrigin
	case webauthn.RPIDRefused:
		code = failure.WebAuthnRPID
	case webauthn.NotListed:
		code = failure.WebAuthnNotListed
	case webauthn.Unsupported, webauthn.Unverified, webauthn.Unprotected:
		code = failure.WebAuthnUnable
	case webauthn.BadAnswer:
		code = failure.KeyUnreadable
	case webauthn.Malformed:
	}
	detail := e.Detail
	if e.Field != "" {
		detail = e.Field + ": " + detail
	}
	return &failure.Error{Code: code, Detail: detail} // which says all there is
}

// keyFailure puts what a key failed with into our codes. Errors that have one
// keep it.
func keyFailure(err error) error {
	var status *fido.StatusError
	var frame *fido.FrameError
	switch {
	case err == nil, failure.CodeOf(err) != "":
		return err
	case errors.As(err, &status):
		return &failure.Error{Code: statusCode(status.Status), Detail: statusText(status.Status), Err: err}
	case errors.Is(err, fido.ErrGone):
		return &failure.Error{Code: failure.KeyGone, Err: err}
	case errors.Is(err, fido.ErrForbidden):
		return &failure.Error{Code: failure.KeyForbidden, Err: err}
	case errors.Is(err, fido.ErrInUse):
		return &failure.Error{Code: failure.KeyBusy, Err: err}
	case errors.Is(err, fido.ErrMute):
		return &failure.Error{Code: failure.KeyMute, Err: err}
	case errors.As(err, &frame):
		return &failure.Error{Code: failure.KeyHostile, Detail: frame.Reason, Err: err}
	case errors.Is(err, fido.ErrMalformed):
		return &failure.Error{Code: failure.KeyUnreadable, Err: err}
	case errors.Is(err, fido.ErrUnsupported):
		return &failure.Error{Code: failure.WebAuthnUnable, Detail: "the key has no such command", Err: err}
	}
	return err
}

func statusText(s fido.Status) string { return fmt.Sprintf("%s (0x%02X)", s, byte(s)) }

// statusCode is the code for a status in an answer to authenticatorMakeCredential
// or authenticatorGetAssertion, or to a PIN.
func statusCode(s fido.Status) failure.Code {
	switch s {
	case fido.CTAP2_ERR_USER_ACTION_TIMEOUT, fido.CTAP2_ERR_ACTION_TIMEOUT,
		fido.CTAP2_ERR_OPERATION_DENIED: // what a key says whose touch did not come (CTAP 2.1, 6.1.2 step 14)
		return failure.TouchTimeout
	case fido.CTAP2_ERR_CREDENTIAL_EXCLUDED:
		return failure.WebAuthnExcluded
	case fido.CTAP2_ERR_NO_CREDENTIALS:
		return failure.WebAuthnNone
	case fido.CTAP2_ERR_PIN_INVALID, fido.CTAP2_ERR_PIN_BLOCKED, fido.CTAP2_ERR_PIN_AUTH_BLOCKED:
		return failure.PINRefused
	case fido.CTAP2_ERR_UNSUPPORTED_ALGORITHM, fido.CTAP2_ERR_UNSUPPORTED_OPTION,
		fido.CTAP2_ERR_PIN_NOT_SET, fido.CTAP2_ERR_UP_REQUIRED:
		return failure.WebAuthnUnable
	case fido.CTAP1_ERR_CHANNEL_BUSY:
		return failure.KeyBusy
	}
	return failure.KeyRefused
}

// errNoToken says that what was made in a lease cannot be deleted, because no
// PIN was given since.
var errNoToken = errors.New("the permission to delete ended with the daemon, or with a touch that no PIN came with")

// definite is whether an error of a command proves that nothing came of it: the
// key says so itself, or was cancelled in time.
func definite(err error) bool {
	var status *fido.StatusError
	switch {
	case errors.As(err, &status), errors.Is(err, fido.ErrInUse), errors.Is(err, fido.ErrUnsupported):
		return true
	case errors.Is(err, fido.ErrMute), errors.Is(err, fido.ErrGone), errors.Is(err, fido.ErrMalformed):
		return false
	}
	return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}

// reason says in a few words what an error is, without what stays in this
// process.
func reason(err error) string {
	var e *failure.Error
	switch {
	case errors.Is(err, errNoToken):
		return err.Error()
	case !errors.As(err, &e):
		return "it did not do so in time"
	}
	entry, _ := failure.Lookup(e.Code)
	return joined(entry.Title, e.Detail)
}

// joined is two parts of a detail, of which each may be empty.
func joined(a, b string) string {
	if a != "" && b != "" {
		return a + "; " + b
	}
	return a + b
}

// parties are the relying parties of traces, for a person.
func parties(traces []store.Trace) string {
	var ids []string
	for _, t := range traces {
		if !slices.Contains(ids, t.RPID) {
			ids = append(ids, t.RPID)
		}
	}
	return strings.Join(ids, ", ")
}
