package mockcis2_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// softKey is a WebAuthn authenticator and the browser around it.
type softKey struct {
	key     *ecdsa.PrivateKey
	id      []byte
	counter uint32
	// flags are UP and UV, and BE and BS for a key that is synced.
	flags      byte
	origin     string
	attachment string
}

const (
	flagUP, flagUV, flagBE, flagBS, flagAT = 1, 4, 8, 16, 64
)

func newSoftKey(t *testing.T, origin string) *softKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := &softKey{key: key, id: make([]byte, 16), flags: flagUP | flagUV, origin: origin, attachment: "cross-platform"}
	rand.Read(k.id)
	return k
}

var b64 = base64.RawURLEncoding

func (k *softKey) clientData(t *testing.T, typ, challenge string) []byte {
	t.Helper()
	data, err := json.Marshal(map[string]any{"type": typ, "challenge": challenge, "origin": k.origin, "crossOrigin": false})
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func (k *softKey) authData(rpID string, flags byte) []byte {
	k.counter++
	hash := sha256.Sum256([]byte(rpID))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), k.counter)
}

// options are as much of what a relying party asks as is needed.
type options struct {
	Challenge string `json:"challenge"`
	RP        struct {
		ID string `json:"id"`
	} `json:"rp"`
	RPID             string `json:"rpId"`
	UserVerification string `json:"userVerification"`
	Selection        struct {
		Attachment       string `json:"authenticatorAttachment"`
		ResidentKey      string `json:"residentKey"`
		UserVerification string `json:"userVerification"`
	} `json:"authenticatorSelection"`
	Allow []struct {
		ID string `json:"id"`
	} `json:"allowCredentials"`
	Exclude []struct {
		ID string `json:"id"`
	} `json:"excludeCredentials"`
}

func read(t *testing.T, raw json.RawMessage) (o options) {
	t.Helper()
	if err := json.Unmarshal(raw, &o); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return o
}

func (k *softKey) response(t *testing.T, response map[string]any) string {
	t.Helper()
	data, err := json.Marshal(map[string]any{
		"id": b64.EncodeToString(k.id), "rawId": b64.EncodeToString(k.id), "type": "public-key", "clientExtensionResults": map[string]any{},
		"authenticatorAttachment": k.attachment, "response": response,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// create answers with a RegistrationResponseJSON.
func (k *softKey) create(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	o := read(t, raw)
	point, err := k.key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		t.Fatal(err)
	}
	data := append(k.authData(o.RP.ID, k.flags|flagAT), make([]byte, 16)...)
	data = append(append(binary.BigEndian.AppendUint16(data, uint16(len(k.id))), k.id...), cose...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		t.Fatal(err)
	}
	return k.response(t, map[string]any{
		"clientDataJSON":    b64.EncodeToString(k.clientData(t, "webauthn.create", o.Challenge)),
		"attestationObject": b64.EncodeToString(object), "transports": []string{"usb"},
	})
}

// get answers with an AuthenticationResponseJSON.
func (k *softKey) get(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	o := read(t, raw)
	data, client := k.authData(o.RPID, k.flags), k.clientData(t, "webauthn.get", o.Challenge)
	hash := sha256.Sum256(client)
	sum := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, k.key, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return k.response(t, map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data), "signature": b64.EncodeToString(signature),
	})
}
