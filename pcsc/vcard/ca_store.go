package vcard

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// caFolder is the folder of the authority within the one the caller gives, so
// that it can come into being with all its files by one rename.
const caFolder = "card-ca"

func (ca *CA) files() map[string]**authority {
	return map[string]**authority{"root.pem": &ca.root, "test.pem": &ca.test, "live.pem": &ca.live}
}

// OpenCA opens the authority kept in a folder, and makes it on first use: keys
// and certificates as PEM, for their owner only. Of several programs that make
// it at the same time one wins, and all use that one's.
func OpenCA(dir string, options ...Option) (*CA, error) {
	home := filepath.Join(dir, caFolder)
	ca, err := loadCA(home, options)
	if !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	if ca, err = NewCA(options...); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	draft, err := os.MkdirTemp(dir, caFolder+".new-") // 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(draft)
	for name, a := range ca.files() {
		if err := (*a).save(filepath.Join(draft, name)); err != nil {
			return nil, err
		}
	}
	if err := os.Rename(draft, home); err != nil {
		if winner, loadErr := loadCA(home, options); !errors.Is(loadErr, fs.ErrNotExist) {
			return winner, loadErr
		}
		return nil, fmt.Errorf("%s: not all of its files are there", home)
	}
	return ca, nil
}

func loadCA(home string, options []Option) (*CA, error) {
	ca := &CA{world: newWorld(options)}
	for name, a := range ca.files() {
		loaded, err := loadAuthority(filepath.Join(home, name))
		if err != nil {
			return nil, fmt.Errorf("test CA: %w", err)
		}
		*a = loaded
	}
	return ca, nil
}

func (a *authority) save(path string) error {
	key, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return err
	}
	text := append(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})...)
	clear(key)
	return writeFile(path, text)
}

func loadAuthority(path string) (*authority, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	a := &authority{}
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			a.key, _ = key.(*ecdsa.PrivateKey)
		case "CERTIFICATE":
			if a.cert, err = x509.ParseCertificate(block.Bytes); err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	if a.key == nil || a.cert == nil || !a.key.PublicKey.Equal(a.cert.PublicKey) {
		return nil, fmt.Errorf("%s: is not a P-256 key with its certificate", path)
	}
	return a, nil
}

// writeFile writes a file for its owner only, whole or not at all: a reader
// sees the old one or the new one, also after a crash.
func writeFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".new-") // 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
