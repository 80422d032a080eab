package vcard_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"authbridge/e2e/pcscd"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// plug inserts a card into the first reader of a real pcscd.
func plug(t *testing.T, d *pcscd.Daemon, card *vcard.Card) *vcard.Plug {
	t.Helper()
	p, err := vcard.PlugVPCD(t.Context(), d.Addr(0), card)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := p.Seen(ctx); err != nil {
		t.Fatalf("pcscd did not notice the card: %v", err)
	}
	return p
}

// judge runs a program that is not ours and returns what it said.
func judge(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := try(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func try(t *testing.T, name string, args ...string) (string, error) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if pcscd.MustNotSkip() {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	return string(out), err
}

// OpenSC takes the virtual card for a PIV card, reads it, and signs with it;
// openssl accepts the signature by the card's certificate.
func TestOpenSCIsTheJudge(t *testing.T) {
	d := pcscd.Start(t, 2)
	for _, profile := range []vcard.Profile{
		{User: "555212345678", Surname: "Pond", Forename: "Amy"},
		amy,
		{User: "555212345678", Surname: "Pond", Forename: "Amy", Keys: vcard.ECCP256, Older: true},
		{User: "555212345678", Surname: "Pond", Forename: "Amy", Protocol: pcsc.ProtocolT0},
	} {
		card := newCard(t, profile)
		p := plug(t, d, card)
		awaitReader(t, d)

		if out := judge(t, "opensc-tool", "-n"); !strings.Contains(out, "Personal Identity Verification Card") {
			t.Errorf("opensc-tool -n says %q", out)
		}
		out := judge(t, "pkcs15-tool", "-D")
		for _, want := range []string{"PKCS#15 Card [555212345678_Pond_Amy]", "Certificate for PIV Authentication", "Certificate for Digital Signature"} {
			if !strings.Contains(out, want) {
				t.Errorf("pkcs15-tool -D does not say %q:\n%s", want, out)
			}
		}
		if out := judge(t, "piv-tool", "--serial"); len(strings.TrimSpace(out)) == 0 {
			t.Error("piv-tool --serial says nothing")
		}
		if card.PINTries() != 0 {
			t.Fatalf("reading cost %d PIN tries", card.PINTries())
		}
		for id, slot := range map[string]vcard.Slot{"01": vcard.SlotAuthentication, "02": vcard.SlotSignature} {
			signs(t, card, id, slot)
		}
		if card.PINTriesLeft() != 3 {
			t.Errorf("%d tries are left", card.PINTriesLeft())
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// The tools of another maker read the card too, if it answers their two vendor
// commands.
func TestYubicosToolsReadTheCard(t *testing.T) {
	d := pcscd.Start(t, 2)
	card := newCard(t, vcard.Profile{User: "555212345678", Surname: "Pond", Forename: "Amy", Keys: vcard.ECCP256, Yubico: true})
	plug(t, d, card)
	awaitReader(t, d)
	for name, args := range map[string][]string{
		"yubico-piv-tool": {"-r", d.Reader(0), "-a", "status"},
		"ykman":           {"-r", d.Reader(0), "piv", "info"},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				for _, e := range card.Log() {
					t.Logf("% X -> %d %04X", e.Command, e.Length, e.SW)
				}
			}()
			if out := judge(t, name, args...); !strings.Contains(out, "555212345678_Pond_Amy") {
				t.Errorf("%s does not name the holder:\n%s", name, out)
			}
		})
	}
	if card.PINTries() != 0 {
		t.Errorf("reading cost %d PIN tries", card.PINTries())
	}
}

var module = sync.OnceValue(func() string {
	for _, pattern := range []string{"/usr/lib/*/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return "opensc-pkcs11.so"
})

func signs(t *testing.T, card *vcard.Card, id string, slot vcard.Slot) {
	t.Helper()
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	data := file("data", []byte("what is signed"))
	signature := filepath.Join(dir, "signature")
	mechanism, format := "SHA256-RSA-PKCS", "rs"
	if card.Profile().Keys == vcard.ECCP256 {
		mechanism, format = "ECDSA-SHA256", "openssl"
	}
	judge(t, "pkcs11-tool", "--module", module(), "--login", "--pin", vcard.DefaultPIN, "--id", id,
		"--sign", "-m", mechanism, "--signature-format", format, "-i", data, "-o", signature)
	cert := card.Certificate(slot)
	spki, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := file("public.pem", pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	if out := judge(t, "openssl", "dgst", "-sha256", "-verify", public, "-signature", signature, data); !strings.Contains(out, "Verified OK") {
		t.Errorf("openssl says %q", out)
	}
}

var cardPresent = regexp.MustCompile(`(?m)^0 +Yes`)

// awaitReader waits until pcscd's clients see the card: it looks every 400 ms.
func awaitReader(t *testing.T, d *pcscd.Daemon) {
	t.Helper()
	for t.Context().Err() == nil {
		if out, _ := try(t, "opensc-tool", "-l"); cardPresent.MatchString(out) {
			return
		}
	}
}
