package inventory

import (
	"errors"
	"fmt"
	"strings"

	"authbridge/fido"
	"authbridge/pcsc"
)

// detailOf is the technical part of what a card or key failed with: the
// operation, what it saw, the number. What the condition says already in words
// of its own, that it does not answer for instance, is not said again.
func detailOf(err error) string {
	var hung *pcsc.HungError
	if errors.As(err, &hung) {
		return fmt.Sprintf("%s: no answer within %v", hung.Op, hung.After)
	}
	text := err.Error()
	for _, code := range [...]pcsc.Code{pcsc.SCARD_W_UNRESPONSIVE_CARD, pcsc.SCARD_W_UNPOWERED_CARD} {
		if _, name, ok := strings.Cut(code.Error(), " ("); ok { // the words, then the name and number
			text = strings.Replace(text, code.Error(), strings.TrimSuffix(name, ")"), 1)
		}
	}
	for _, said := range [...]error{fido.ErrMute, fido.ErrInUse, fido.ErrForbidden, fido.ErrGone, fido.ErrMalformed} {
		text = strings.TrimPrefix(text, said.Error()+": ")
	}
	return strings.TrimPrefix(strings.TrimPrefix(text, "fido: "), "pcsc: ")
}
