package webauthn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"
)

// softKey is the signing half of a security key: what authenticatorMakeCredential
// and authenticatorGetAssertion answer, without CTAP.
type softKey struct {
	alg    int64
	signer crypto.Signer
	aaguid [16]byte
	id     []byte
	user   []byte
}

func newSoftKey(t testing.TB, alg int64) *softKey {
	t.Helper()
	k := &softKey{alg: alg, id: make([]byte, 16)}
	_, _ = rand.Read(k.id)
	var err error
	switch alg {
	case ES256:
		k.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		k.signer, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA:
		_, k.signer, err = ed25519.GenerateKey(rand.Reader)
	case RS256:
		k.signer, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		t.Fatalf("algorithm %d", alg)
	}
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func (k *softKey) cose(t testing.TB) []byte {
	t.Helper()
	key := map[int]any{3: k.alg}
	switch public := k.signer.Public().(type) {
	case *ecdsa.PublicKey:
		point, err := public.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		half := len(point) / 2
		key[1], key[-1], key[-2], key[-3] = ktyEC2, curves[k.alg].id, point[1:1+half], point[1+half:]
	case ed25519.PublicKey:
		key[1], key[-1], key[-2] = ktyOKP, crvEd25519, []byte(public)
	case *rsa.PublicKey:
		key[1], key[-1], key[-2] = ktyRSA, public.N.Bytes(), big.NewInt(int64(public.E)).Bytes()
	}
	return cborOf(t, key)
}

func (k *softKey) sign(t testing.TB, authData []byte, clientDataHash [32]byte) []byte {
	t.Helper()
	message := append(append([]byte{}, authData...), clientDataHash[:]...)
	var opts crypto.SignerOpts = crypto.SHA256
	switch k.alg {
	case EdDSA:
		opts = crypto.Hash(0)
	case ES384:
		opts = crypto.SHA384
	}
	if hash := opts.HashFunc(); hash != 0 {
		h := hash.New()
		h.Write(message)
		message = h.Sum(nil)
	}
	signature, err := k.signer.Sign(rand.Reader, message, opts)
	if err != nil {
		t.Fatal(err)
	}
	return signature
}

func (k *softKey) authData(t testing.TB, rpID string, flags Flags) authData {
	return authData{rpID: rpID, flags: flags, aaguid: k.aaguid, id: k.id, cose: k.cose(t)}
}

// make answers with self attestation (WebAuthn L3, 8.2).
func (k *softKey) make(t testing.TB, c *Creation, flags Flags) Made {
	t.Helper()
	k.user = c.UserID
	data := k.authData(t, c.RPID, flags|AttestedCredentialData).bytes()
	return Made{
		Format: "packed", AuthData: data,
		Statement:  cborOf(t, map[string]any{"alg": k.alg, "sig": k.sign(t, data, c.ClientDataHash)}),
		Transports: []string{"usb", "nfc"},
	}
}

func (k *softKey) assert(t testing.TB, r *Request, flags Flags) Asserted {
	t.Helper()
	data := authData{rpID: r.RPID, flags: flags}.bytes()
	return Asserted{CredentialID: k.id, AuthData: data, Signature: k.sign(t, data, r.ClientDataHash)}
}
