package piv

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"authbridge/pcsc/apdu"
)

// maxCertificate bounds a certificate, unpacked. The largest that the standard
// has room for is of 3 kB.
const maxCertificate = 64 << 10

// Certificate is a certificate of a card, which need not be one that Go accepts
// as a whole.
type Certificate struct {
	Slot Slot
	DER  []byte
	// X509 is nil where Go refuses the certificate, for Refusal.
	X509    *x509.Certificate
	Refusal error

	Subject, Issuer     pkix.Name
	NotBefore, NotAfter time.Time
	Serial              *big.Int
	// Key is the public key's algorithm and size, for example RSA-2048, as far
	// as they are known here.
	Key    string
	SHA256 [sha256.Size]byte
}

// ParseCertificate reads what the object of a slot's certificate holds
// (SP 800-73-4 part 1, table 10 and the like).
func ParseCertificate(slot Slot, data []byte) (Certificate, error) {
	der, err := unpack(data)
	if err != nil {
		return Certificate{}, err
	}
	c := Certificate{Slot: slot, DER: der, SHA256: sha256.Sum256(der)}
	parsed, refusal := x509.ParseCertificate(der)
	if refusal != nil {
		if err := c.parseLoosely(); err != nil {
			return Certificate{}, malformed(refusal)
		}
		c.Refusal = refusal
		return c, nil
	}
	c.X509 = parsed
	c.Subject, c.Issuer, c.Serial = parsed.Subject, parsed.Issuer, parsed.SerialNumber
	c.NotBefore, c.NotAfter = parsed.NotBefore, parsed.NotAfter
	c.Key = describeKey(parsed.RawSubjectPublicKeyInfo)
	return c, nil
}

// unpack is the DER in a certificate object.
func unpack(data []byte) ([]byte, error) {
	const tagCertificate, tagCertInfo = 0x70, 0x71
	der, err := apdu.Find(data, tagCertificate)
	if errors.Is(err, apdu.ErrNoTag) || err == nil && len(der) == 0 {
		return nil, ErrMissing
	}
	if err != nil {
		return nil, malformed(err)
	}
	info, err := apdu.Find(data, tagCertInfo)
	if err != nil && !errors.Is(err, apdu.ErrNoTag) {
		return nil, malformed(err)
	}
	// SP 800-73-4 has 01 for gzip; SP 800-73-1 was read as 80 by some.
	if len(info) == 1 && info[0]&0x81 != 0 {
		if der, err = gunzip(der); err != nil {
			return nil, malformed(err)
		}
	}
	var whole asn1.RawValue
	rest, err := asn1.Unmarshal(der, &whole)
	if err != nil {
		return nil, malformed(err)
	}
	if len(bytes.Trim(rest, "\x00")) > 0 {
		return nil, malformed(fmt.Errorf("%d octets follow the certificate", len(rest)))
	}
	return bytes.Clone(whole.FullBytes), nil
}

func gunzip(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	r.Multistream(false) // what follows may be padding
	der, err := io.ReadAll(io.LimitReader(r, maxCertificate+1))
	if err != nil {
		return nil, err
	}
	if len(der) > maxCertificate {
		return nil, errors.New("the certificate is too large")
	}
	return der, nil
}

// loose is the outline of a certificate (RFC 5280, 4.1), with as little said of
// its parts as can be.
type loose struct {
	TBS struct {
		Version   int `asn1:"optional,explicit,default:0,tag:0"`
		Serial    asn1.RawValue
		Algorithm asn1.RawValue
		Issuer    asn1.RawValue
		Validity  struct{ NotBefore, NotAfter time.Time }
		Subject   asn1.RawValue
		PublicKey asn1.RawValue
	}
	Algorithm asn1.RawValue
	Signature asn1.RawValue
}

// parseLoosely reads dates and names of a certificate that Go refuses, for its
// key, extensions or serial number. Only the dates must be there.
func (c *Certificate) parseLoosely() error {
	var outline loose
	if _, err := asn1.Unmarshal(c.DER, &outline); err != nil {
		return err
	}
	tbs := &outline.TBS
	c.NotBefore, c.NotAfter = tbs.Validity.NotBefore, tbs.Validity.NotAfter
	c.Issuer, c.Subject = looseName(tbs.Issuer), looseName(tbs.Subject)
	if tbs.Serial.Class == asn1.ClassUniversal && tbs.Serial.Tag == asn1.TagInteger {
		c.Serial = new(big.Int).SetBytes(tbs.Serial.Bytes)
	}
	c.Key = describeKey(tbs.PublicKey.FullBytes)
	return nil
}

func looseName(raw asn1.RawValue) (name pkix.Name) {
	var rdn pkix.RDNSequence
	if _, err := asn1.Unmarshal(raw.FullBytes, &rdn); err == nil {
		name.FillFromRDNSequence(&rdn)
	}
	return name
}
