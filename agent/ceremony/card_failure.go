package ceremony

import (
	"context"
	"errors"

	"authbridge/agent/failure"
	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

// cardFailure puts what went wrong with a card into our codes. An error that has
// one keeps it; those of a context and of the store are others' to tell.
func cardFailure(err error) error {
	if err == nil || failure.CodeOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	code, detail := cardCode(err)
	if code == "" {
		return err
	}
	if errors.Is(err, errUnanswered) {
		detail = joined(detail, errUnanswered.Error())
	}
	return &failure.Error{Code: code, Detail: detail, Err: err}
}

func cardCode(err error) (code failure.Code, detail string) {
	var short *pcsc.ShortAnswerError
	var answer *apdu.AnswerError
	var status *apdu.StatusError
	var pc pcsc.Code
	switch {
	case errors.Is(err, pcsc.ErrHung), errors.Is(err, pcsc.ErrTooManyHung):
		return failure.CardHung, ""
	case errors.Is(err, pcsc.ErrClosed):
		return failure.ShuttingDown, ""
	case errors.As(err, &short): // what a card pulled in mid-APDU looks like
		return failure.CardGone, short.Error()
	case errors.As(err, &pc):
		return pcscCode(pc), pc.Name()
	case errors.Is(err, piv.ErrPINFormat), errors.Is(err, apdu.SWWrongData) && isVerify(err):
		return failure.PINFormat, statusDetail(err)
	case errors.Is(err, piv.ErrNoApplication), errors.Is(err, piv.ErrMalformed), errors.As(err, &answer):
		return failure.CardUnreadable, err.Error()
	case errors.Is(err, piv.ErrSignature), errors.Is(err, piv.ErrDigest):
		return failure.SignRefused, err.Error()
	case errors.As(err, &status):
		return failure.SignRefused, statusDetail(err)
	}
	return "", ""
}

func pcscCode(code pcsc.Code) failure.Code {
	switch code {
	case pcsc.SCARD_E_SHARING_VIOLATION, pcsc.SCARD_W_RESET_CARD:
		return failure.CardInUse // by who else is there
	case pcsc.SCARD_W_UNRESPONSIVE_CARD, pcsc.SCARD_W_UNPOWERED_CARD:
		return failure.CardMute
	case pcsc.SCARD_W_SECURITY_VIOLATION, pcsc.SCARD_E_NO_ACCESS:
		return failure.PCSCDenied
	case pcsc.SCARD_W_REMOVED_CARD, pcsc.SCARD_E_NO_SMARTCARD, pcsc.SCARD_E_READER_UNAVAILABLE, pcsc.SCARD_E_UNKNOWN_READER,
		pcsc.SCARD_E_INVALID_HANDLE, pcsc.SCARD_E_NOT_TRANSACTED:
		return failure.CardGone
	}
	if serviceGone(code) {
		return failure.PCSCService
	}
	return failure.CardUnreadable
}

// serviceGone is whether the service ended: in the middle of a call pcsc-lite says
// SCARD_F_COMM_ERROR. A card is reset before another service lets anybody use it.
func serviceGone(err error) bool {
	return errors.Is(err, pcsc.SCARD_E_NO_SERVICE) || errors.Is(err, pcsc.SCARD_E_SERVICE_STOPPED) || errors.Is(err, pcsc.SCARD_F_COMM_ERROR)
}

func isVerify(err error) bool {
	var status *apdu.StatusError
	return errors.As(err, &status) && apdu.Instruction(status.INS) == "VERIFY"
}

// statusDetail is what the card said, in the specification's words.
func statusDetail(err error) string {
	var status *apdu.StatusError
	if !errors.As(err, &status) {
		return ""
	}
	return status.Error()
}
