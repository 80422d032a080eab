package piv

import (
	"context"
	"errors"
	"fmt"

	"authbridge/pcsc/apdu"
)

// Card is what a card says of itself without a PIN.
type Card struct {
	Application Application
	PIN         PINState
	// Discovery and CHUID are nil if the card has none, or a malformed one.
	Discovery *Discovery
	CHUID     *CHUID
	// Certificates are in the order of the slots asked for. Missing are the
	// slots that hold none.
	Certificates []Certificate
	Missing      []Slot
	// Malformed are the objects that are not what they should be, or that the
	// card refuses to give. The rest is not the worse for them.
	Malformed []ObjectError
}

// ObjectError is an object that could not be read.
type ObjectError struct {
	Object Object
	Slot   Slot // whose certificate it holds; 0 if none
	Err    error
}

func (e ObjectError) Error() string { return fmt.Sprintf("object %s: %v", e.Object, e.Err) }

// Unwrap is the cause.
func (e ObjectError) Unwrap() error { return e.Err }

// Reading says what to read of a card.
type Reading struct {
	// Slots are those whose certificates are read; nil: 9A and 9C.
	Slots []Slot
	// Short is for cards that are known to take no extended APDUs, as all are
	// with T=0. It saves one command on them.
	Short bool
}

// Read reads what readiness rests on: one command each for the application, the
// PIN's state, discovery object, CHUID and the certificates of slots 9A and 9C.
// It sends no PIN.
func Read(ctx context.Context, t apdu.Transmitter) (*Card, error) {
	return Reading{}.Read(ctx, t)
}

// Read reads the card in the reader. It fails if PIV cannot be selected or the
// card stops answering.
func (reading Reading) Read(ctx context.Context, t apdu.Transmitter) (*Card, error) {
	slots := reading.Slots
	if slots == nil {
		slots = []Slot{SlotAuthentication, SlotSignature}
	}
	var card Card
	var err error
	if card.Application, err = Select(ctx, t); err != nil {
		return nil, err
	}
	if card.PIN, err = ReadPINState(ctx, t); err != nil {
		return nil, err
	}
	from := source{t: t, extended: !reading.Short}
	if err := readInto(ctx, &from, &card, ObjectDiscovery, 0, func(data []byte) error {
		discovery, err := ParseDiscovery(data)
		if err == nil {
			card.Discovery = &discovery
		}
		return err
	}); err != nil {
		return nil, err
	}
	if err := readInto(ctx, &from, &card, ObjectCHUID, 0, func(data []byte) error {
		chuid, err := ParseCHUID(data)
		if err == nil {
			card.CHUID = &chuid
		}
		return err
	}); err != nil {
		return nil, err
	}
	for _, slot := range slots {
		if err := readInto(ctx, &from, &card, slot.Certificate(), slot, func(data []byte) error {
			certificate, err := ParseCertificate(slot, data)
			if err == nil {
				card.Certificates = append(card.Certificates, certificate)
			}
			return err
		}); err != nil {
			return nil, err
		}
	}
	return &card, nil
}

// Certificate reads the certificate of one slot. It fails with [ErrMissing]
// where there is none. PIV must be selected.
func (reading Reading) Certificate(ctx context.Context, t apdu.Transmitter, slot Slot) (Certificate, error) {
	from := source{t: t, extended: !reading.Short}
	data, err := from.get(ctx, slot.Certificate())
	if err != nil {
		return Certificate{}, err
	}
	return ParseCertificate(slot, data)
}

// readInto reads an object and notes what is wrong with it. It fails only if the
// card does not answer.
func readInto(ctx context.Context, from *source, card *Card, object Object, slot Slot, parse func([]byte) error) error {
	data, err := from.get(ctx, object)
	if err == nil {
		err = parse(data)
	}
	switch {
	case err == nil:
	case errors.Is(err, ErrMissing):
		if slot != 0 {
			card.Missing = append(card.Missing, slot)
		}
	case errors.Is(err, ErrMalformed) || isStatus(err):
		card.Malformed = append(card.Malformed, ObjectError{Object: object, Slot: slot, Err: err})
	default:
		return fmt.Errorf("object %s: %w", object, err)
	}
	return nil
}

func isStatus(err error) bool {
	var status *apdu.StatusError
	return errors.As(err, &status)
}

// extendedLe has room for every object of the standard, and is small enough for
// the buffers of readers and cards.
const extendedLe = 4096

// source reads objects with one command each if card and reader take extended
// APDUs, which is found out with the first object that may be long.
type source struct {
	t        apdu.Transmitter
	extended bool // they may
	proven   bool // they do
}

func (s *source) get(ctx context.Context, object Object) ([]byte, error) {
	if object == ObjectDiscovery || !s.extended { // the former is never long
		return GetData(ctx, s.t, object, apdu.MaxShortLe)
	}
	data, err := GetData(ctx, s.t, object, extendedLe)
	switch {
	case s.proven:
		return data, err
	case err == nil || isAnswer(err):
		s.proven = true
		return data, err
	}
	s.extended = false
	return GetData(ctx, s.t, object, apdu.MaxShortLe)
}

// isAnswer is whether the card has understood the command, if it then gave the
// object or not. Cards, and readers with the card still in them, refuse extended
// APDUs in many ways.
func isAnswer(err error) bool {
	return errors.Is(err, ErrMissing) || errors.Is(err, ErrMalformed) ||
		errors.Is(err, apdu.SWSecurityNotSatisfied) || errors.Is(err, apdu.SWReferenceNotFound)
}
