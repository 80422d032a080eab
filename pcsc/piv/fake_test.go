package piv_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

// fake is a card that answers as a test wants it to.
type fake struct {
	objects  map[piv.Object][]byte
	refused  map[piv.Object]apdu.Status
	selected apdu.Response
	pin      apdu.Status // to an empty VERIFY
	verify   apdu.Status // to a PIN
	sign     func(challenge []byte) []byte
	extended func() ([]byte, error) // what an extended APDU gets; nil: an answer
	dies     int                    // at that command, if not 0

	commands [][]byte
	pending  []byte
}

var errGone = errors.New("the card is gone")

func newFake() *fake {
	return &fake{
		objects: map[piv.Object][]byte{
			piv.ObjectDiscovery: octets("7E 12 4F 0B A0 00 00 03 08 00 00 10 00 01 00 5F 2F 02 40 00"),
			piv.ObjectCHUID:     container(apdu.EncodeTLV(0x30, make([]byte, 25)), apdu.EncodeTLV(0x34, octets("00112233445566778899AABBCCDDEEFF")), apdu.EncodeTLV(0x35, []byte("20301231")), octets("3E 00 FE 00")),
		},
		refused:  map[piv.Object]apdu.Status{},
		selected: apdu.Response{Data: octets("61 16 4F 06 00 00 10 00 01 00 79 07 4F 05 A0 00 00 03 08 50 03 41 42 43"), SW: apdu.SWSuccess},
		pin:      0x63C3,
		verify:   apdu.SWSuccess,
	}
}

func container(parts ...[]byte) []byte { return apdu.EncodeTLV(0x53, parts...) }

// holding puts a certificate into a slot.
func (f *fake) holding(slot piv.Slot, der []byte) *fake {
	f.objects[slot.Certificate()] = container(apdu.EncodeTLV(0x70, der), octets("71 01 00 FE 00"))
	return f
}

func (f *fake) Transmit(_ context.Context, command []byte) ([]byte, error) {
	f.commands = append(f.commands, bytes.Clone(command))
	if len(f.commands) == f.dies {
		return nil, errGone
	}
	c, err := apdu.ParseCommand(command)
	if err != nil {
		return octets("67 00"), nil
	}
	if f.extended != nil && len(command) > 6 && command[4] == 0 {
		return f.extended()
	}
	switch {
	case c.INS == 0xA4 && hex.EncodeToString(c.Data) == "a00000030800001000":
		return f.selected.Encode(), nil
	case c.INS == 0x20 && c.P1 == 0x00 && c.P2 == 0x80 && len(c.Data) == 0:
		return apdu.Response{SW: f.pin}.Encode(), nil
	case c.INS == 0x20 && c.P1 == 0xFF && c.P2 == 0x80:
		f.pin = 0x63C3
		return octets("90 00"), nil
	case c.INS == 0x20:
		return apdu.Response{SW: f.verify}.Encode(), nil
	case c.INS == 0xC0:
		return f.give(c.Le), nil
	case c.INS == 0x87 && c.CLA == 0x00 && f.sign != nil:
		challenge, err := apdu.Find(c.Data, 0x7C, 0x81)
		if err != nil {
			return octets("6A 80"), nil
		}
		f.pending = apdu.EncodeTLV(0x7C, apdu.EncodeTLV(0x82, f.sign(challenge)))
		return f.give(c.Le), nil
	case c.INS == 0xCB && c.P1 == 0x3F && c.P2 == 0xFF && len(c.Data) > 2 && c.Data[0] == 0x5C:
		var object piv.Object
		for _, b := range c.Data[2:] {
			object = object<<8 | piv.Object(b)
		}
		if sw, refused := f.refused[object]; refused {
			return apdu.Response{SW: sw}.Encode(), nil
		}
		data, ok := f.objects[object]
		if !ok {
			return octets("6A 82"), nil
		}
		f.pending = data
		return f.give(c.Le), nil
	}
	return octets("6D 00"), nil
}

func (f *fake) give(le int) []byte {
	n := min(le, len(f.pending))
	r := apdu.Response{Data: f.pending[:n], SW: apdu.SWSuccess}
	f.pending = f.pending[n:]
	if left := len(f.pending); left > 255 {
		r.SW = apdu.SWMoreData
	} else if left > 0 {
		r.SW = apdu.SWMoreData | apdu.Status(left)
	}
	return r.Encode()
}

// tries counts the commands that had a PIN in them.
func (f *fake) tries() int {
	n := 0
	for _, c := range f.commands {
		if c[1] == 0x20 && len(c) > 5 {
			n++
		}
	}
	return n
}

func octets(text string) []byte {
	b, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		panic(err)
	}
	return b
}

var (
	notBefore = time.Date(2025, 3, 1, 12, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2027, 3, 1, 12, 0, 0, 0, time.UTC)
)

// issue makes a certificate that its own key has signed.
func issue(t testing.TB, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(0x4142434445464748),
		Subject:      pkix.Name{Organization: []string{"nhs"}, OrganizationalUnit: []string{"People"}, CommonName: "555212345678_Pond_Amy"},
		Issuer:       pkix.Name{CommonName: "NHS INT Level 1D"},
		NotBefore:    notBefore, NotAfter: notAfter,
		SubjectKeyId: []byte{1, 2, 3}, ExtraExtensions: nil,
	}, &x509.Certificate{Subject: pkix.Name{CommonName: "NHS INT Level 1D"}}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func newECC(t testing.TB, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
