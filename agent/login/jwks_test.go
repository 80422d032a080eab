package login_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"io"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

func jwksOf(t testing.TB, key *rsa.PrivateKey) []byte {
	t.Helper()
	keys, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &key.PublicKey, KeyID: "one", Use: "sig"}}})
	must(t, err)
	return keys
}

func reader(body []byte) io.Reader { return bytes.NewReader(body) }

// foreign is nobody's key.
var foreign = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})
