package vcard

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"authbridge/pcsc"
)

// stored is a card as a file. PIN and keys are in it in clear: it is a test
// card, and the file is for its owner only.
type stored struct {
	Version  int             `json:"version"`
	User     string          `json:"user"`
	Surname  string          `json:"surname"`
	Forename string          `json:"forename"`
	Keys     KeyType         `json:"keys"`
	Older    bool            `json:"older,omitempty"`
	Yubico   bool            `json:"yubico,omitempty"`
	Protocol pcsc.Protocol   `json:"protocol"`
	GUID     []byte          `json:"guid"`
	PIN      storedReference `json:"pin"`
	PUK      storedReference `json:"puk"`
	Slots    []storedSlot    `json:"slots"`
	APDUs    uint64          `json:"apdus"`
	PINTries uint64          `json:"pin_tries"`
}

type storedReference struct {
	Value []byte `json:"value"`
	Tries int    `json:"tries"`
	Limit int    `json:"limit"`
}

type storedSlot struct {
	Slot        Slot   `json:"slot"`
	Key         []byte `json:"key"` // PKCS #8
	Certificate []byte `json:"certificate"`
}

const storeVersion = 1

// OpenCard opens the card kept in a file, and makes one by the profile where
// there is none. A card that exists stays what it is, whatever the profile
// says; only certificates that expire within 90 days, or are of another
// authority than ca, are issued anew. From then on the card keeps its PIN,
// retry counters and counts in that file.
func OpenCard(file string, profile Profile, ca *CA) (*Card, error) {
	c, err := LoadCard(file, ca)
	if errors.Is(err, fs.ErrNotExist) {
		if c, err = NewCard(profile, ca); err == nil {
			err = c.Save(file)
		}
	}
	if err != nil {
		return nil, err
	}
	if renewed, err := c.renew(); err != nil {
		return nil, err
	} else if renewed {
		if err := c.Save(file); err != nil {
			return nil, err
		}
	}
	c.file = file
	return c, nil
}

// Save writes the card to a file for its owner only. Faults are not kept, nor
// is the security status, which no card keeps without power.
func (c *Card) Save(file string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.save(file)
}

// persist saves a card that has a file. The card is locked.
func (c *Card) persist() error {
	if c.file == "" {
		return nil
	}
	return c.save(c.file)
}

func (c *Card) save(file string) error {
	s := stored{
		Version: storeVersion,
		User:    c.profile.User, Surname: c.profile.Surname, Forename: c.profile.Forename,
		Keys: c.profile.Keys, Older: c.profile.Older, Yubico: c.profile.Yubico, Protocol: c.profile.Protocol,
		GUID:  c.guid[:],
		PIN:   storedReference{c.pin.value, c.pin.tries, c.pin.limit},
		PUK:   storedReference{c.puk.value, c.puk.tries, c.puk.limit},
		APDUs: c.log.apdus, PINTries: c.log.pinTries,
	}
	for _, slot := range c.profile.Slots {
		key, err := x509.MarshalPKCS8PrivateKey(c.keys[slot])
		if err != nil {
			return err
		}
		s.Slots = append(s.Slots, storedSlot{slot, key, c.certs[slot].Raw})
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	defer clear(text)
	return writeFile(file, text)
}

// LoadCard reads a card that [Card.Save] wrote.
func LoadCard(file string, ca *CA) (*Card, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	defer clear(text)
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, fmt.Errorf("card file %s: %w", file, err)
	}
	c, err := s.card(ca)
	if err != nil {
		return nil, fmt.Errorf("card file %s: %w", file, err)
	}
	return c, nil
}

func (s *stored) card(ca *CA) (*Card, error) {
	if s.Version != storeVersion {
		return nil, fmt.Errorf("is of version %d, want %d", s.Version, storeVersion)
	}
	c := &Card{
		ca: ca, keys: make(map[Slot]crypto.Signer), certs: make(map[Slot]*x509.Certificate),
		pin: reference{s.PIN.Value, s.PIN.Tries, s.PIN.Limit},
		puk: reference{s.PUK.Value, s.PUK.Tries, s.PUK.Limit},
		log: journal{apdus: s.APDUs, pinTries: s.PINTries},
	}
	p := Profile{
		User: s.User, Surname: s.Surname, Forename: s.Forename,
		Keys: s.Keys, Older: s.Older, Yubico: s.Yubico, Protocol: s.Protocol,
	}
	for _, slot := range s.Slots {
		key, err := parseKey(slot.Key, s.Keys)
		if err != nil {
			return nil, fmt.Errorf("slot %s: %w", slot.Slot, err)
		}
		cert, err := x509.ParseCertificate(slot.Certificate)
		if err != nil {
			return nil, fmt.Errorf("slot %s: %w", slot.Slot, err)
		}
		if public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !public.Equal(cert.PublicKey) {
			return nil, fmt.Errorf("slot %s: the certificate is of another key", slot.Slot)
		}
		p.Slots = append(p.Slots, slot.Slot)
		c.keys[slot.Slot], c.certs[slot.Slot] = key, cert
	}
	var err error
	if c.profile, err = p.complete(); err != nil {
		return nil, err
	}
	c.profile.PIN, c.profile.PUK = "", ""
	switch {
	case len(s.Slots) != len(c.profile.Slots):
		return nil, errors.New("lacks a key or has one twice")
	case copy(c.guid[:], s.GUID) != len(c.guid):
		return nil, errors.New("has no GUID")
	case !isPIN(c.pin.value) || len(c.puk.value) != pinLength:
		return nil, errors.New("has no PIN or PUK")
	case !c.pin.sound() || !c.puk.sound():
		return nil, errors.New("has a retry counter out of its limits")
	}
	c.refault = make(chan struct{})
	c.show(c.certs)
	return c, nil
}

func (r *reference) sound() bool {
	return r.limit > 0 && r.limit < 16 && r.tries >= 0 && r.tries <= r.limit
}

func parseKey(der []byte, want KeyType) (crypto.Signer, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, err
	}
	switch key := parsed.(type) {
	case *rsa.PrivateKey:
		if want == RSA2048 && key.N.BitLen() == 2048 && len(key.Primes) == 2 {
			return key, nil
		}
	case *ecdsa.PrivateKey:
		if want == ECCP256 && key.Params().BitSize == 256 {
			return key, nil
		}
	}
	return nil, errors.New("the key is not of the card's type")
}

// renew issues certificates anew that have had their time.
func (c *Card) renew() (renewed bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, slot := range c.profile.Slots {
		cert := c.certs[slot]
		current := cert.CheckSignatureFrom(c.ca.test.cert) == nil &&
			c.ca.now().Add(renewBefore).Before(cert.NotAfter) && !c.ca.now().Before(cert.NotBefore)
		if current {
			continue
		}
		if c.certs[slot], err = c.ca.certify(c.profile, slot, c.keys[slot].Public(), order{}); err != nil {
			return false, err
		}
		renewed = true
	}
	if renewed {
		c.show(c.certs)
	}
	return renewed, nil
}
