package piv

import (
	"fmt"

	"authbridge/pcsc/apdu"
)

// Slot is the reference of a private key (SP 800-73-4 part 1, table 4b).
type Slot byte

// The slots whose certificates stand in objects of their own.
const (
	SlotAuthentication     Slot = 0x9A
	SlotSignature          Slot = 0x9C
	SlotKeyManagement      Slot = 0x9D
	SlotCardAuthentication Slot = 0x9E
)

// AllSlots are the slots that this package knows.
func AllSlots() []Slot {
	return []Slot{SlotAuthentication, SlotSignature, SlotKeyManagement, SlotCardAuthentication}
}

// String is the slot as everybody writes it: 9A.
func (s Slot) String() string { return fmt.Sprintf("%02X", byte(s)) }

// Object is the BER-TLV tag of a data object (SP 800-73-4 part 1, table 3).
type Object apdu.Tag

// The data objects that this package reads.
const (
	ObjectDiscovery                     Object = 0x7E
	ObjectCHUID                         Object = 0x5FC102
	ObjectCertificateAuthentication     Object = 0x5FC105
	ObjectCertificateSignature          Object = 0x5FC10A
	ObjectCertificateKeyManagement      Object = 0x5FC10B
	ObjectCertificateCardAuthentication Object = 0x5FC101
)

func (o Object) String() string { return apdu.Tag(o).String() }

// Certificate is the object that holds a slot's certificate, 0 if none does.
func (s Slot) Certificate() Object {
	switch s {
	case SlotAuthentication:
		return ObjectCertificateAuthentication
	case SlotSignature:
		return ObjectCertificateSignature
	case SlotKeyManagement:
		return ObjectCertificateKeyManagement
	case SlotCardAuthentication:
		return ObjectCertificateCardAuthentication
	}
	return 0
}

// Algorithm is an algorithm identifier (SP 800-78-4, table 6-2; RSA 3072 is of
// SP 800-78-5).
type Algorithm byte

// The algorithms of private keys.
const (
	AlgorithmRSA3072 Algorithm = 0x05
	AlgorithmRSA1024 Algorithm = 0x06
	AlgorithmRSA2048 Algorithm = 0x07
	AlgorithmECCP256 Algorithm = 0x11
	AlgorithmECCP384 Algorithm = 0x14
)

// Instructions (SP 800-73-4 part 2, table 2).
const (
	insVerify              = 0x20
	insGeneralAuthenticate = 0x87
	insSelect              = 0xA4
	insGetData             = 0xCB
)
