package vcard_test

import (
	"bytes"
	"crypto/x509"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/pcsc/vcard"
)

func openCA(t *testing.T, dir string, options ...vcard.Option) *vcard.CA {
	t.Helper()
	ca, err := vcard.OpenCA(dir, options...)
	must(t, err)
	return ca
}

func openCard(t *testing.T, file string, ca *vcard.CA) chip {
	t.Helper()
	card, err := vcard.OpenCard(file, amy, ca)
	must(t, err)
	card.PowerOn()
	return chip{t, card}
}

func TestTheAuthorityIsMadeOnceAndKept(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	var g sync.WaitGroup
	var mu sync.Mutex
	roots := map[string]int{}
	for range 8 {
		g.Go(func() {
			ca, err := vcard.OpenCA(dir)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			roots[string(ca.Root().Raw)]++
		})
	}
	g.Wait()
	if len(roots) != 1 {
		t.Errorf("8 programs at once have %d authorities", len(roots))
	}
	private(t, dir)
	for _, issuer := range openCA(t, dir).Issuers() {
		if err := issuer.CheckSignatureFrom(openCA(t, dir).Root()); err != nil {
			t.Error(err)
		}
	}
}

// private checks that all below a folder is its owner's alone, and that no
// draft was left behind.
func private(t *testing.T, dir string) {
	t.Helper()
	must(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if strings.Contains(path, ".new-") {
			t.Errorf("%s was left behind", path)
		}
		info, err := d.Info()
		if err == nil && path != dir && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is %v", path, info.Mode())
		}
		return err
	}))
}

func TestABrokenAuthorityIsNotReplaced(t *testing.T) {
	dir := t.TempDir()
	openCA(t, dir)
	for name, text := range map[string]string{"root.pem": "", "test.pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"} {
		file := filepath.Join(dir, "card-ca", name)
		whole, err := os.ReadFile(file)
		must(t, err)
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := vcard.OpenCA(dir); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
		must(t, os.WriteFile(file, whole, 0o600))
	}
}

func TestACardIsMadeOnceAndKept(t *testing.T) {
	dir := t.TempDir()
	ca, file := openCA(t, dir), filepath.Join(dir, "card")
	c := openCard(t, file, ca)
	c.play(script{
		{selectPIV, "9000"},
		{verifyWrong, "63C2"},
		{"002C0080103132333435363700363534333231FFFF", "63C2"},
	})
	private(t, dir)

	// As after a crash: nothing was closed.
	again := openCard(t, file, openCA(t, dir))
	again.play(script{{selectPIV, "9000"}, {verifyEmpty, "63C2"}})
	if !again.Certificate(vcard.SlotSignature).Equal(c.Certificate(vcard.SlotSignature)) {
		t.Error("the certificate is another")
	}
	if again.PINTries() != 2 || again.APDUs() < 3 {
		t.Errorf("%d tries and %d APDUs are remembered", again.PINTries(), again.APDUs())
	}
	again.play(script{{verifyWrong, "63C1"}, {verifyWrong, "63C0"}})
	blocked := openCard(t, file, ca)
	blocked.play(script{
		{selectPIV, "9000"},
		{verifyEmpty, "6983"},
		{verifyRight, "6983"},
		{"002C0080103132333435363738363534333231FFFF", "9000"},
		{"0024008010363534333231FFFF373737373737FFFF", "9000"},
	})
	openCard(t, file, ca).play(script{{selectPIV, "9000"}, {"0020008008373737373737FFFF", "9000"}})
}

// A try is stored before its outcome is told.
func TestACardThatCannotKeepItsCounterDoesNotCompare(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "cards", "card")
	must(t, os.Mkdir(filepath.Dir(file), 0o700))
	c := openCard(t, file, openCA(t, dir))
	c.want("9000", selectPIV)
	must(t, os.RemoveAll(filepath.Dir(file)))
	c.play(script{{verifyRight, "6581"}, {verifyEmpty, "63C2"}})
}

func TestRSACardsAreKept(t *testing.T) {
	dir := t.TempDir()
	ca, file := openCA(t, dir), filepath.Join(dir, "card")
	profile := vcard.Profile{User: "555212345678", Surname: "O'Brien-Pond", Forename: "Amélie"}
	card, err := vcard.OpenCard(file, profile, ca)
	must(t, err)
	again, err := vcard.OpenCard(file, amy, ca)
	must(t, err)
	if again.Profile().Surname != profile.Surname || !again.Certificate(vcard.SlotAuthentication).Equal(card.Certificate(vcard.SlotAuthentication)) {
		t.Errorf("%+v", again.Profile())
	}
	c := chip{t, again}
	c.PowerOn()
	c.play(script{{selectPIV, "9000"}, {verifyRight, "9000"}})
	if _, sw := c.authenticate(0x07, vcard.SlotAuthentication, 0x81, make([]byte, 256)); sw != "9000" {
		t.Error(sw)
	}
}

func TestCertificatesAreRenewedInTime(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "card")
	now := time.Date(2030, 3, 1, 12, 0, 0, 0, time.UTC)
	clock := vcard.WithClock(func() time.Time { return now })
	ca := openCA(t, dir, clock)
	first := openCard(t, file, ca).Certificate(vcard.SlotAuthentication)
	now = now.AddDate(2, 0, -91)
	if again := openCard(t, file, ca).Certificate(vcard.SlotAuthentication); !again.Equal(first) {
		t.Errorf("91 days before its end a certificate was renewed")
	}
	now = now.AddDate(0, 0, 2)
	renewed := openCard(t, file, ca).Certificate(vcard.SlotAuthentication)
	if !renewed.NotAfter.After(first.NotAfter) || !bytes.Equal(renewed.RawSubjectPublicKeyInfo, first.RawSubjectPublicKeyInfo) {
		t.Errorf("from %v to %v", first.NotAfter, renewed.NotAfter)
	}
	if again := openCard(t, file, ca).Certificate(vcard.SlotAuthentication); !again.Equal(renewed) {
		t.Error("the renewed certificate was not kept")
	}

	// And when the authority was lost.
	must(t, os.RemoveAll(filepath.Join(dir, "card-ca")))
	other := openCA(t, dir, clock)
	roots, issuers := other.Pools()
	_, err := openCard(t, file, other).Certificate(vcard.SlotAuthentication).Verify(x509.VerifyOptions{Roots: roots, Intermediates: issuers, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	must(t, err)
}

func TestACardFileThatIsNone(t *testing.T) {
	dir := t.TempDir()
	ca, file := openCA(t, dir), filepath.Join(dir, "card")
	openCard(t, file, ca)
	whole, err := os.ReadFile(file)
	must(t, err)
	for name, text := range map[string]string{
		"empty": "", "not JSON": "card", "no card": "{}",
		"another version":       strings.Replace(string(whole), `"version":1`, `"version":2`, 1),
		"too many tries":        strings.Replace(string(whole), `"tries":3`, `"tries":9`, 1),
		"no PIN":                strings.Replace(string(whole), `"value":"MTIz`, `"value":"eHh4`, 1),
		"a slot twice":          strings.Replace(string(whole), `"slot":156`, `"slot":154`, 1),
		"another's certificate": swapCertificates(t, whole),
		"other keys":            strings.Replace(string(whole), `"keys":1`, `"keys":0`, 1),
	} {
		if text == string(whole) {
			t.Errorf("%s: nothing was changed", name)
		}
		must(t, os.WriteFile(file, []byte(text), 0o600))
		if _, err := vcard.OpenCard(file, amy, ca); err == nil || strings.Contains(err.Error(), "123456") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := vcard.LoadCard(filepath.Join(dir, "none"), ca); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

// swapCertificates gives each key the certificate of the other.
func swapCertificates(t *testing.T, card []byte) string {
	t.Helper()
	parts := strings.Split(string(card), `"certificate":`)
	if len(parts) != 3 {
		t.Fatalf("%d certificates", len(parts)-1)
	}
	one, rest, _ := strings.Cut(parts[1], "}")
	two, end, _ := strings.Cut(parts[2], "}")
	return parts[0] + `"certificate":` + two + "}" + rest + `"certificate":` + one + "}" + end
}

func TestTheSameSeedMakesTheSameCard(t *testing.T) {
	make1 := func(seed byte) *vcard.Card {
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		ca, err := vcard.NewCA(vcard.WithRandom(rand.NewChaCha8([32]byte{seed})), vcard.WithClock(func() time.Time { return now }))
		must(t, err)
		card, err := vcard.NewCard(amy, ca)
		must(t, err)
		return card
	}
	a, b, other := make1(1), make1(1), make1(2)
	for _, slot := range []vcard.Slot{vcard.SlotAuthentication, vcard.SlotSignature} {
		if !a.Certificate(slot).Equal(b.Certificate(slot)) {
			t.Errorf("slot %s differs", slot)
		}
		if a.Certificate(slot).Equal(other.Certificate(slot)) {
			t.Errorf("slot %s does not differ by seed", slot)
		}
	}
}

func TestProfilesThatAreRefused(t *testing.T) {
	ca := newCA(t)
	for field, change := range map[string]func(*vcard.Profile){
		"user":     func(p *vcard.Profile) { p.User = "12345" },
		"surname":  func(p *vcard.Profile) { p.Surname = "a_b" },
		"forename": func(p *vcard.Profile) { p.Forename = "" },
		"PIN":      func(p *vcard.Profile) { p.PIN = "98765" },
		"PUK":      func(p *vcard.Profile) { p.PUK = "98765" },
		"slot":     func(p *vcard.Profile) { p.Slots = []vcard.Slot{0x9B} },
		"key type": func(p *vcard.Profile) { p.Keys = 7 },
		"protocol": func(p *vcard.Profile) { p.Protocol = 3 },
	} {
		profile := amy
		change(&profile)
		if _, err := vcard.NewCard(profile, ca); err == nil || !strings.Contains(err.Error(), field) || strings.Contains(err.Error(), "98765") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
