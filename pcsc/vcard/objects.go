package vcard

import (
	"crypto/x509"
	"io"

	"authbridge/pcsc/apdu"
)

// objectTag is the BER-TLV tag of a data object (SP 800-73-4 part 1, table 3).
type objectTag uint32

// The data objects that these cards have.
const (
	tagDiscovery objectTag = 0x7E
	tagCHUID     objectTag = 0x5FC102
	tagCCC       objectTag = 0x5FC107
)

// certificateTag is the object that holds the certificate of a slot.
func certificateTag(slot Slot) objectTag {
	switch slot {
	case SlotAuthentication:
		return 0x5FC105
	case SlotSignature:
		return 0x5FC10A
	case SlotKeyManagement:
		return 0x5FC10B
	default:
		return 0x5FC101
	}
}

var (
	// pivAID is the AID of the PIV card application, version 1 (SP 800-73-4
	// part 1, 2.2); it may be selected without its last two octets.
	pivAID = []byte{0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00}
	// managerAID is the issuer security domain (GlobalPlatform card
	// specification, H.6), the other application on the card.
	managerAID = []byte{0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00}
)

const (
	ridLength     = 5 // of the AID: the registered provider
	versionLength = 2 // of the AID, which a SELECT may leave out
)

// propertyTemplate answers SELECT of the PIV application (SP 800-73-4 part 2,
// table 3): its own identifier without the provider's, and the authority that
// gave the tags.
func propertyTemplate() []byte {
	return apdu.EncodeTLV(0x61,
		apdu.EncodeTLV(0x4F, pivAID[ridLength:]),
		apdu.EncodeTLV(0x79, apdu.EncodeTLV(0x4F, pivAID[:ridLength])),
		apdu.EncodeTLV(0x50, []byte("authbridge virtual PIV card")),
	)
}

// managerTemplate answers SELECT of the card manager: a minimal FCI.
func managerTemplate() []byte {
	return apdu.EncodeTLV(0x6F, apdu.EncodeTLV(0x84, managerAID), apdu.EncodeTLV(0xA5))
}

// makeObjects encodes all data objects, as GET DATA returns them.
func (c *Card) makeObjects(certs map[Slot]*x509.Certificate) map[objectTag][]byte {
	objects := map[objectTag][]byte{
		tagDiscovery: discovery(),
		tagCCC:       c.capability(),
	}
	expiry := "20301231"
	for slot, cert := range certs {
		// Table 40: certificate, CertInfo (not compressed), no LRC.
		objects[certificateTag(slot)] = apdu.EncodeTLV(0x53, apdu.EncodeTLV(0x70, cert.Raw), apdu.EncodeTLV(0x71, []byte{0}), apdu.EncodeTLV(0xFE))
	}
	if own := c.certs[c.profile.Slots[0]]; own != nil {
		expiry = own.NotAfter.Format("20060102")
	}
	// Table 9. The issuer's signature is left empty: virtual cards are not
	// told apart from real ones by it, but by the issuer of the certificate.
	objects[tagCHUID] = apdu.EncodeTLV(0x53,
		apdu.EncodeTLV(0x30, fascN()),
		apdu.EncodeTLV(0x34, c.guid[:]),
		apdu.EncodeTLV(0x35, []byte(expiry)),
		apdu.EncodeTLV(0x3E),
		apdu.EncodeTLV(0xFE),
	)
	return objects
}

// discovery is the discovery object (part 1, 3.3.2): the application's AID,
// and the PIN usage policy, which is the application PIN and nothing else.
func discovery() []byte {
	return apdu.EncodeTLV(0x7E, apdu.EncodeTLV(0x4F, pivAID), apdu.EncodeTLV(0x5F2F, []byte{0x40, 0x00}))
}

// capability is the card capability container (part 1, table 8). All that is
// in it is for GSC-IS, which no one uses; the tags must be there.
func (c *Card) capability() []byte {
	identifier := append([]byte{0xA0, 0x00, 0x00, 0x01, 0x16, 0xFF, 0x02}, c.guid[:14]...)
	return apdu.EncodeTLV(0x53,
		apdu.EncodeTLV(0xF0, identifier), apdu.EncodeTLV(0xF1, []byte{0x21}), apdu.EncodeTLV(0xF2, []byte{0x21}), apdu.EncodeTLV(0xF3),
		apdu.EncodeTLV(0xF4, []byte{0x00}), apdu.EncodeTLV(0xF5, []byte{0x10}), apdu.EncodeTLV(0xF6), apdu.EncodeTLV(0xF7), apdu.EncodeTLV(0xFA),
		apdu.EncodeTLV(0xFB), apdu.EncodeTLV(0xFC), apdu.EncodeTLV(0xFD), apdu.EncodeTLV(0xFE),
	)
}

// fascN is the FASC-N of a card that no federal agency issued: agency, system
// and credential number are all nines (part 1, 3.4). It is BCD of 5 bits a
// digit, least significant first, with odd parity (TIG SCEPACS 2.3).
func fascN() []byte {
	const digits = "S9999F9999F999999F0F1F0000000000300001E"
	var symbols []byte
	var lrc byte
	for _, d := range []byte(digits) {
		nibble := d & 0x0F
		switch d {
		case 'S': // start
			nibble = 0x0B
		case 'F': // field separator
			nibble = 0x0D
		case 'E': // end
			nibble = 0x0F
		}
		lrc ^= nibble
		symbols = append(symbols, nibble)
	}
	symbols = append(symbols, lrc)
	packed := make([]byte, len(symbols)*5/8)
	at := 0
	put := func(bit byte) {
		packed[at/8] |= bit << (7 - at%8)
		at++
	}
	for _, nibble := range symbols {
		parity := byte(1)
		for bit := range 4 {
			put(nibble >> bit & 1)
			parity ^= nibble >> bit & 1
		}
		put(parity)
	}
	return packed
}

// newGUID is a random UUID (RFC 4122), as part 1, 3.4.1 wants for the GUID.
func (w *world) newGUID() (guid [16]byte, err error) {
	_, err = io.ReadFull(w.random, guid[:])
	guid[6] = guid[6]&0x0F | 0x40
	guid[8] = guid[8]&0x3F | 0x80
	return guid, err
}
