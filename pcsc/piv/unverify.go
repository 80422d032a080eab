package piv

import (
	"context"

	"authbridge/pcsc/apdu"
)

// others are applications that may be on a card beside PIV: the issuer security
// domain (GlobalPlatform card specification 2.3, H.6) and, without a name, what
// the card selects by default (11.9.3.1), which is mostly the same; the card
// manager of older cards; GIDS and OpenPGP, which cards with PIV come with.
var others = [...][]byte{
	{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00},
	nil,
	{0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00},
	{0xA0, 0x00, 0x00, 0x03, 0x97, 0x42, 0x54, 0x46, 0x59},
	{0xD2, 0x76, 0x00, 0x01, 0x24, 0x01},
}

// Unverify makes the PIN unverified again by all that a card offers but a reset,
// and returns its state afterwards, which is still verified on a card that offers
// nothing. It begins with the selection of PIV and sends no PIN. A PIN that is
// not verified is left alone.
//
// Cards older than SP 800-73-4 do not know [Logout]. On them the security status
// goes when another application is selected (part 2, 3.1.1).
func Unverify(ctx context.Context, t apdu.Transmitter) (PINState, error) {
	state, err := selected(ctx, t)
	if err != nil || !state.Verified() {
		return state, err
	}
	if err := Logout(ctx, t); err != nil && !isStatus(err) {
		return state, err
	}
	if state, err = ReadPINState(ctx, t); err != nil || !state.Verified() {
		return state, err
	}
	for _, name := range others {
		_, err := apdu.Send(ctx, t, apdu.Command{INS: insSelect, P1: 0x04, Data: name, Le: apdu.MaxShortLe})
		if isStatus(err) {
			continue // it is not on the card
		}
		if err == nil {
			state, err = selected(ctx, t)
		}
		if err != nil || !state.Verified() {
			return state, err
		}
	}
	return state, nil
}

// selected selects PIV and reads the PIN's state.
func selected(ctx context.Context, t apdu.Transmitter) (PINState, error) {
	if _, err := Select(ctx, t); err != nil {
		return PINState{}, err
	}
	return ReadPINState(ctx, t)
}
