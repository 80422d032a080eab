package webauthn

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// hexOctets are octets that JSON has in hex.
type hexOctets []byte

func (h *hexOctets) UnmarshalText(text []byte) error {
	data, err := hex.DecodeString(string(text))
	*h = data
	return err
}

// vector is a pair of the spec's test vectors (WebAuthn L3, 16).
type vector struct {
	Create struct {
		Challenge         hexOctets `json:"challenge"`
		AAGUID            hexOctets `json:"aaguid"`
		CredentialID      hexOctets `json:"credential_id"`
		ClientData        hexOctets `json:"clientDataJSON"`
		AttestationObject hexOctets `json:"attestationObject"`
	} `json:"create"`
	Get struct {
		Challenge  hexOctets `json:"challenge"`
		AuthData   hexOctets `json:"authenticatorData"`
		ClientData hexOctets `json:"clientDataJSON"`
		Signature  hexOctets `json:"signature"`
	} `json:"get"`
}

func vectors(t testing.TB) map[string]vector {
	t.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]vector
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	if len(all) != 15 {
		t.Fatalf("%d vectors", len(all))
	}
	return all
}

// made takes an attestation object apart.
func made(t testing.TB, object []byte) Made {
	t.Helper()
	var o struct {
		Format    string          `cbor:"fmt"`
		Statement cbor.RawMessage `cbor:"attStmt"`
		AuthData  []byte          `cbor:"authData"`
	}
	if err := cbor.Unmarshal(object, &o); err != nil {
		t.Fatal(err)
	}
	return Made{Format: o.Format, Statement: o.Statement, AuthData: o.AuthData}
}

// sameClientData compares with a vector, of which some carry a member more, to
// show that more may come.
func sameClientData(t *testing.T, got, want []byte) {
	t.Helper()
	if i := bytes.Index(want, []byte(`,"extraData":`)); i >= 0 {
		want = append(bytes.Clone(want[:i]), '}')
	}
	if !bytes.Equal(got, want) {
		t.Errorf("client data\n%s, want\n%s", got, want)
	}
}

const vectorCreation = `{"rp":{"name":"RP","id":"example.org"},"user":{"id":"AQ","name":"u","displayName":""},
	"challenge":%q,"pubKeyCredParams":[{"type":"public-key","alg":-7},{"type":"public-key","alg":-8},
	{"type":"public-key","alg":-35},{"type":"public-key","alg":-36},{"type":"public-key","alg":-257},
	{"type":"public-key","alg":-53}],"attestation":"direct"}`

func TestVectors(t *testing.T) {
	t.Parallel()
	for name, v := range vectors(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			page := org
			if strings.HasSuffix(name, "topOrigin") || strings.HasSuffix(name, "crossOrigin") {
				page.Top = "https://example.com"
			}
			create := fmt.Appendf(nil, vectorCreation, raw64(v.Create.Challenge))
			c, err := ParseCreation(create, page, orgs)
			if err != nil {
				t.Fatal(err)
			}
			get := fmt.Appendf(nil, `{"challenge":%q,"rpId":"example.org","allowCredentials":[{"type":"public-key","id":%q}]}`,
				raw64(v.Get.Challenge), raw64(v.Create.CredentialID))
			r, err := ParseRequest(get, page, orgs)
			if err != nil {
				t.Fatal(err)
			}
			// This one is of a client that knows no topOrigin yet.
			if !strings.HasSuffix(name, "crossOrigin") {
				sameClientData(t, c.ClientData, v.Create.ClientData)
				sameClientData(t, r.ClientData, v.Get.ClientData)
			}
			c.ClientData, r.ClientData = v.Create.ClientData, v.Get.ClientData

			registration, err := c.Respond(made(t, v.Create.AttestationObject))
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				ID       string
				Response struct {
					AttestationObject, ClientDataJSON, PublicKey string
					PublicKeyAlgorithm                           int64
				}
			}
			if err := json.Unmarshal(registration, &got); err != nil {
				t.Fatal(err)
			}
			if got.ID != raw64(v.Create.CredentialID) || got.Response.AttestationObject != raw64(v.Create.AttestationObject) ||
				got.Response.ClientDataJSON != raw64(v.Create.ClientData) {
				t.Errorf("not the vector's octets: %s", registration)
			}
			a, err := ParseAuthData(made(t, v.Create.AttestationObject).AuthData)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.AAGUID[:], v.Create.AAGUID) && name != "fido-u2f-es256" {
				t.Errorf("AAGUID %x", a.AAGUID)
			}

			if _, err := r.Respond(Asserted{CredentialID: v.Create.CredentialID, AuthData: v.Get.AuthData, Signature: v.Get.Signature}); err != nil {
				t.Error(err)
			}
			if name == "packed-ed448" {
				if a.PublicKey.Key != nil || got.Response.PublicKey != "" || got.Response.PublicKeyAlgorithm != -53 {
					t.Errorf("a key of Ed448 is %+v", got.Response)
				}
				return
			}
			spki, err := base64.RawURLEncoding.DecodeString(got.Response.PublicKey)
			if err != nil {
				t.Fatal(err)
			}
			key, err := x509.ParsePKIXPublicKey(spki)
			if err != nil {
				t.Fatal(err)
			}
			if !signedBy(key, got.Response.PublicKeyAlgorithm, v.Get.AuthData, v.Get.ClientData, v.Get.Signature) {
				t.Error("the signature does not verify with the public key given")
			}
		})
	}
}

// signedBy verifies an assertion's signature (WebAuthn L3, 7.2).
func signedBy(key crypto.PublicKey, alg int64, authData, clientData, signature []byte) bool {
	hash := sha256.Sum256(clientData)
	message := append(bytes.Clone(authData), hash[:]...)
	var digest []byte
	switch alg {
	case ES384:
		d := sha512.Sum384(message)
		digest = d[:]
	case ES512:
		d := sha512.Sum512(message)
		digest = d[:]
	default:
		d := sha256.Sum256(message)
		digest = d[:]
	}
	switch key := key.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(key, digest, signature)
	case ed25519.PublicKey:
		return ed25519.Verify(key, message, signature)
	case *rsa.PublicKey:
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, digest, signature) == nil
	}
	return false
}
