package piv_test

import (
	"bytes"
	"compress/gzip"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"testing"

	"authbridge/pcsc/apdu"
	"authbridge/pcsc/piv"
)

func zip(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func object(certificate []byte, info string) []byte {
	return append(apdu.EncodeTLV(0x70, certificate), octets(info)...)
}

func TestCertificatesComeInManyWrappings(t *testing.T) {
	t.Parallel()
	der := issue(t, newECC(t, elliptic.P384()))
	for name, data := range map[string][]byte{
		"plain":                     object(der, "71 01 00 FE 00"),
		"without CertInfo":          object(der, ""),
		"CertInfo first":            append(octets("71 01 00"), object(der, "")...),
		"packed":                    object(zip(t, der), "71 01 01 FE 00"),
		"packed, the old bit":       object(zip(t, der), "71 01 80 FE 00"),
		"packed, padded":            object(append(zip(t, der), 0, 0, 0), "71 01 01"),
		"padded with zeros":         object(append(bytes.Clone(der), 0, 0, 0), "71 01 00"),
		"with what is of no matter": object(der, "72 03 01 02 03 71 01 00 FE 00"),
	} {
		c, err := piv.ParseCertificate(piv.SlotSignature, data)
		if err != nil || !bytes.Equal(c.DER, der) || c.Slot != piv.SlotSignature || c.X509 == nil || c.Key != "EC-P384" {
			t.Errorf("%s: %+v, %v", name, c, err)
		}
	}
}

func TestWhatIsNoCertificateIsToldFromNone(t *testing.T) {
	t.Parallel()
	der := issue(t, newECC(t, elliptic.P256()))
	bomb := zip(t, make([]byte, 1<<20))
	for name, c := range map[string]struct {
		data []byte
		want error
	}{
		"an empty object":          {nil, piv.ErrMissing},
		"an empty certificate":     {octets("70 00 71 01 00 FE 00"), piv.ErrMissing},
		"no certificate in it":     {octets("71 01 00 FE 00"), piv.ErrMissing},
		"no TLV":                   {octets("70 82"), piv.ErrMalformed},
		"half of it":               {object(der[:len(der)/2], ""), piv.ErrMalformed},
		"followed by rubbish":      {object(append(bytes.Clone(der), 1), ""), piv.ErrMalformed},
		"said to be packed":        {object(der, "71 01 01"), piv.ErrMalformed},
		"packed and not said":      {object(zip(t, der), "71 01 00"), piv.ErrMalformed},
		"unpacks to far too much":  {object(bomb, "71 01 01"), piv.ErrMalformed},
		"packed and cut off":       {object(zip(t, der)[:100], "71 01 01"), piv.ErrMalformed},
		"a sequence and no more":   {object(octets("30 03 02 01 00"), ""), piv.ErrMalformed},
		"broken after certificate": {object(der, "71 05 00"), piv.ErrMalformed},
	} {
		if got, err := piv.ParseCertificate(piv.SlotAuthentication, c.data); !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, got.Subject, err)
		}
	}
}

// Cards hold certificates that Go does not accept. Their dates and names are
// read all the same.
func TestACertificateThatGoRefusesStillTellsItsDates(t *testing.T) {
	t.Parallel()
	good := issue(t, newECC(t, elliptic.P256()))
	replace := func(old, with string) []byte {
		if bytes.Count(good, octets(old)) != 1 {
			t.Fatalf("%s is not in it once", old)
		}
		return bytes.Replace(good, octets(old), octets(with), 1)
	}
	for name, c := range map[string]struct {
		der []byte
		key string
	}{
		"a curve that Go has not":  {replace("2A8648CE3D030107", "2A8648CE3D030101"), "EC-1.2.840.10045.3.1.1"},
		"a negative serial number": {replace("4142434445464748", "C142434445464748"), "EC-P256"},
		"a version of its own":     {replace("A003020102", "A003020109"), "EC-P256"},
	} {
		got, err := piv.ParseCertificate(piv.SlotAuthentication, object(c.der, ""))
		if err != nil || got.X509 != nil || got.Refusal == nil {
			t.Errorf("%s: %+v, %v", name, got, err)
			continue
		}
		if !got.NotBefore.Equal(notBefore) || !got.NotAfter.Equal(notAfter) || got.Key != c.key ||
			got.Subject.CommonName != "555212345678_Pond_Amy" || got.Issuer.CommonName != "NHS INT Level 1D" || got.Serial == nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestKeysAreNamedWithTheirSize(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	// RSA of 1024 bits: what NHS signature certificates have.
	c, err := piv.ParseCertificate(piv.SlotSignature, object(issue(t, key), ""))
	if err != nil || c.Key != "RSA-1024" || c.X509 == nil {
		t.Errorf("%s, %v", c.Key, err)
	}
	// RSA of 512 bits, made with openssl: no key that Go would use.
	text, err := os.ReadFile("testdata/rsa512.pem")
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	c, err = piv.ParseCertificate(piv.SlotSignature, object(block.Bytes, ""))
	if err != nil || c.Key != "RSA-512" || c.Subject.CommonName != "555212345678_Pond_Amy" {
		t.Errorf("%s, %+v, %v", c.Key, c.Subject, err)
	}
}

func FuzzCertificate(f *testing.F) {
	der := issue(f, newECC(f, elliptic.P256()))
	f.Add(object(der, "71 01 00 FE 00"))
	f.Add(object(zip(f, der), "71 01 01 FE 00"))
	f.Add(object(bytes.Replace(der, octets("2A8648CE3D030107"), octets("2A8648CE3D030101"), 1), ""))
	f.Add(octets("70 00 71 01 00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := piv.ParseCertificate(piv.SlotAuthentication, data)
		if err != nil {
			if !errors.Is(err, piv.ErrMissing) && !errors.Is(err, piv.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if c.Key == "" || len(c.DER) == 0 || len(c.DER) > 64<<10 && len(data) <= 64<<10 {
			t.Fatalf("key %q, %d octets", c.Key, len(c.DER))
		}
		if (c.X509 == nil) != (c.Refusal != nil) {
			t.Fatal("neither accepted nor refused")
		}
		_ = c.Subject.String()
		_ = c.Issuer.String()
	})
}
