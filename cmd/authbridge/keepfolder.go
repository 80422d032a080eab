package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// keepFolder is the folder name of parent, which fill furnishes on first use. It
// comes into being with all its files by one rename: of several programs that
// make it at the same time one wins, and all use that one's.
func keepFolder(parent, name string, fill func(dir string) error) (string, error) {
	home := filepath.Join(parent, name)
	if _, err := os.Stat(home); !errors.Is(err, fs.ErrNotExist) {
		return home, err
	}
	if err := os.MkdirAll(parent, 0o700); err != nil {
		return "", err
	}
	draft, err := os.MkdirTemp(parent, name+".new-") // 0700
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(draft) }() // of who lost; nothing is there once renamed
	if err := fill(draft); err != nil {
		return "", err
	}
	if err := os.Rename(draft, home); err != nil {
		if _, won := os.Stat(home); won == nil {
			return home, nil
		}
		return "", err
	}
	return home, nil
}

// keepAside gives a file another name beside it, which it returns, and which
// nothing else has.
func keepAside(path string) (string, error) {
	for n := 1; ; n++ {
		aside := fmt.Sprintf("%s.aside-%d", path, n)
		if _, err := os.Lstat(aside); errors.Is(err, fs.ErrNotExist) {
			return aside, os.Rename(path, aside)
		} else if err != nil {
			return "", err
		}
	}
}

// The files of a folder that has a key.
const (
	keyFile         = "key.pem"
	certificateFile = "certificate.pem"
)

// saveKey writes a private key for its owner only.
func saveKey(dir string, key crypto.Signer) error {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	defer clear(text)
	clear(der)
	return os.WriteFile(filepath.Join(dir, keyFile), text, 0o600)
}

func loadKey(dir string) (crypto.Signer, error) {
	path := filepath.Join(dir, keyFile)
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: not all of its files are there", dir)
	case err != nil:
		return nil, err
	}
	defer clear(text)
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s: is no PEM", path)
	}
	defer clear(block.Bytes)
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("%s: is no key that signs", path)
	}
	return signer, nil
}

// signingBits is the size that CIS2's keys have; they are RSA (RS256).
const signingBits = 2048

// signingFolder has the key that signs the mock's tokens, which stay good over a
// restart.
const signingFolder = "signing"

// keptSigningKey is the one that is there; nil where there is none yet.
func keptSigningKey(dir string) (*rsa.PrivateKey, error) {
	if _, err := os.Lstat(filepath.Join(dir, signingFolder)); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return signingKey(dir)
}

// signingKey is made on first use.
func signingKey(dir string) (*rsa.PrivateKey, error) {
	home, err := keepFolder(dir, signingFolder, func(dir string) error {
		key, err := rsa.GenerateKey(rand.Reader, signingBits)
		if err != nil {
			return err
		}
		return saveKey(dir, key)
	})
	if err != nil {
		return nil, err
	}
	key, err := loadKey(home)
	if err != nil {
		return nil, err
	}
	signing, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("%s: is no RSA key", filepath.Join(home, keyFile))
	}
	return signing, nil
}
