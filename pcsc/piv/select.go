package piv

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"authbridge/pcsc/apdu"
)

// ErrNoApplication is a card without the PIV application.
var ErrNoApplication = errors.New("the card has no PIV application")

// aid is the application's identifier without its version, by which it may be
// selected (SP 800-73-4 part 1, 2.2, and part 2, 3.1.1).
var aid = [...]byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00}

// Application is what a card says when the application is selected (SP 800-73-4
// part 2, table 3). Cards leave out much of it.
type Application struct {
	AID   []byte // without the provider's part, where the card goes by the standard
	Label string
}

// Select makes PIV the current application (SELECT, SP 800-73-4 part 2, 3.1.1).
// If it is already, that changes nothing, the PIN's state included.
func Select(ctx context.Context, t apdu.Transmitter) (Application, error) {
	r, err := apdu.Send(ctx, t, apdu.Command{INS: insSelect, P1: 0x04, Data: aid[:], Le: apdu.MaxShortLe})
	if errors.Is(err, apdu.SWNotFound) {
		return Application{}, fmt.Errorf("%w: %w", ErrNoApplication, err)
	}
	if err != nil {
		return Application{}, err
	}
	var app Application
	const template, identifier, label = 0x61, 0x4F, 0x50
	if v, err := apdu.Find(r.Data, template, identifier); err == nil {
		app.AID = bytes.Clone(v)
	}
	if v, err := apdu.Find(r.Data, template, label); err == nil {
		app.Label = printable(v)
	}
	return app, nil
}

// printable is text of a card as far as it is ASCII that can be shown.
func printable(b []byte) string {
	const most = 64
	if len(b) > most {
		b = b[:most]
	}
	return string(bytes.Map(func(r rune) rune {
		if r < 0x20 || r > 0x7E {
			return -1
		}
		return r
	}, b))
}
