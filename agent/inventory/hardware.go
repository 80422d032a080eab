package inventory

import (
	"context"
	"errors"
	"strings"

	"authbridge/agent/failure"
	"authbridge/fido"
	"authbridge/pcsc"
)

// What ids begin with.
const (
	cardID = "card-"
	keyID  = "key-"
)

// CardOpener is a source whose cards can be used.
type CardOpener interface {
	Has(id string) bool
	// Card is [Inventory.Card].
	Card(ctx context.Context, id string) (*pcsc.Conn, error)
}

// KeyOpener is a source whose keys can be used.
type KeyOpener interface {
	Has(id string) bool
	// Key is [Inventory.Key].
	Key(ctx context.Context, id string) (*fido.Key, error)
}

// Card connects to the card with that id, shared, without resetting it, once a
// probe of it is over, and once no other program has it to itself, for which it
// waits as long as ctx allows. It fails with a [failure.Error]: CardGone if the
// card is not there, CeremonyKind if that is no card, CardInUse and others by
// what the card or the service did; or with the context's error. The caller
// closes the connection. Who keeps it claims the card first.
func (i *Inventory) Card(ctx context.Context, id string) (*pcsc.Conn, error) {
	if strings.HasPrefix(id, keyID) {
		return nil, &failure.Error{Code: failure.CeremonyKind, Detail: id + " is a security key"}
	}
	for _, source := range i.config.Sources {
		if o, ok := source.(CardOpener); ok && o.Has(id) {
			return o.Card(ctx, id)
		}
	}
	return nil, cardGone(id)
}

// Key opens the security key with that id, once a probe of it is over, and once
// no other program keeps it from others, for which it waits as long as ctx
// allows. It fails with a [failure.Error]: KeyGone if the key is not there,
// CeremonyKind if that is no key, KeyBusy, KeyForbidden and others by what the
// key or the system did; or with the context's error. The caller closes the key,
// soon. Who keeps it claims it first.
func (i *Inventory) Key(ctx context.Context, id string) (*fido.Key, error) {
	if strings.HasPrefix(id, cardID) {
		return nil, &failure.Error{Code: failure.CeremonyKind, Detail: id + " is a smartcard"}
	}
	for _, source := range i.config.Sources {
		if o, ok := source.(KeyOpener); ok && o.Has(id) {
			return o.Key(ctx, id)
		}
	}
	return nil, keyGone(id)
}

func cardGone(id string) error {
	return &failure.Error{Code: failure.CardGone, Detail: id + " is in no reader"}
}

func keyGone(id string) error {
	return &failure.Error{Code: failure.KeyGone, Detail: id + " is not plugged in"}
}

// cardFailure is why a card could not be connected to.
func cardFailure(ctx context.Context, err error) error {
	if ctx.Err() != nil && !errors.Is(err, pcsc.SCARD_E_SHARING_VIOLATION) {
		return ctx.Err()
	}
	f := &failure.Error{Code: outcomeOf(err).code, Detail: detailOf(err), Err: err}
	switch {
	case errors.Is(err, pcsc.SCARD_E_SHARING_VIOLATION):
		f.Code = failure.CardInUse
	case serviceHangs(err):
		f.Code = failure.PCSCService
	case f.Code == "":
		return err
	}
	return f
}

// keyFailure is why a key could not be opened.
func keyFailure(ctx context.Context, err error, windows bool) error {
	var frame *fido.FrameError
	f := &failure.Error{Code: failure.KeyUnreadable, Detail: detailOf(err), Err: err}
	switch {
	case errors.Is(err, fido.ErrInUse):
		f.Code = failure.KeyBusy
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, fido.ErrGone):
		f.Code = failure.KeyGone
	case errors.Is(err, fido.ErrForbidden) && windows:
		f.Code = failure.FIDONeedsAdmin
	case errors.Is(err, fido.ErrForbidden):
		f.Code = failure.KeyForbidden
	case errors.Is(err, fido.ErrMute):
		f.Code = failure.KeyMute
	case errors.As(err, &frame):
		f.Code = failure.KeyHostile
	}
	return f
}
