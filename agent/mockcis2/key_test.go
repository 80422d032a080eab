package mockcis2

import (
	"crypto/rand"
	"crypto/rsa"
	"sync"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		panic(err)
	}
	return key
})
