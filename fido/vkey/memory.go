package vkey

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// memory is what a key keeps without power. Its lock is held while it is
// written to its file, so that the file never goes back in time.
type memory struct {
	mu    sync.Mutex
	file  string // empty: kept in the process only
	state state
}

// state is the memory's content, as it lies in the file.
type state struct {
	Format int `json:"format"`
	// Secret wraps the private keys in credential IDs.
	Secret []byte `json:"secret"`
	// PINHash is LEFT(SHA-256(PIN), 16); absent without a PIN.
	PINHash     []byte       `json:"pin_hash,omitempty"`
	PINRetries  int          `json:"pin_retries"`
	SignCount   uint32       `json:"sign_count"`
	Created     uint64       `json:"created"`
	Credentials []credential `json:"credentials,omitempty"`
}

// credential is a discoverable credential. Its private key is in its ID.
type credential struct {
	ID          []byte `json:"id"`
	Order       uint64 `json:"order"` // later ones have greater numbers
	RPID        string `json:"rp_id"`
	RPName      string `json:"rp_name,omitempty"`
	UserID      []byte `json:"user_id"`
	UserName    string `json:"user_name,omitempty"`
	DisplayName string `json:"display_name,omitempty"`
}

const stateFormat = 1

func fresh() state {
	s := state{Format: stateFormat, Secret: make([]byte, 32), PINRetries: maxPINRetries}
	_, _ = rand.Read(s.Secret) // never fails (crypto/rand)
	return s
}

// openMemory reads the memory from its file, if there is one.
func openMemory(file string) (*memory, error) {
	m := &memory{file: file, state: fresh()}
	if file == "" {
		return m, nil
	}
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return m, m.change(func(*state) {})
	}
	if err != nil {
		return nil, fmt.Errorf("vkey: read key: %w", err)
	}
	if m.state, err = parseState(data); err != nil {
		return nil, fmt.Errorf("vkey: read key %s: %w", file, err)
	}
	return m, nil
}

func parseState(data []byte) (state, error) {
	var s state
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&s); err != nil {
		return s, errors.New("not the state of a virtual key") // the cause could quote a secret
	}
	if s.Format != stateFormat || len(s.Secret) != 32 || (s.PINHash != nil && len(s.PINHash) != 16) ||
		s.PINRetries < 0 || s.PINRetries > maxPINRetries || len(s.Credentials) > maxDiscoverable {
		return s, errors.New("not a state of a virtual key that this version knows")
	}
	return s, nil
}

// change edits the state and writes it down.
func (m *memory) change(edit func(*state)) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	edit(&m.state)
	if m.file == "" {
		return nil
	}
	return writeState(m.file, &m.state)
}

// save writes the state to another file.
func (m *memory) save(file string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return writeState(file, &m.state)
}

// writeState replaces the file at once, readable by its owner only.
func writeState(file string, s *state) error {
	data, err := json.Marshal(s) //nolint:gosec // G117: the secret is what the file is for
	if err != nil {
		return fmt.Errorf("vkey: write key: %w", err)
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*") // 0600
	if err != nil {
		return fmt.Errorf("vkey: write key: %w", err)
	}
	_, err = temporary.Write(append(data, '\n'))
	err = errors.Join(err, temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("vkey: write key: %w", errors.Join(err, os.Remove(temporary.Name())))
	}
	return nil
}

// wipe makes a new key of it.
func (m *memory) wipe() error { return m.change(func(s *state) { *s = fresh() }) }

func (m *memory) pin() (hash []byte, tries int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.PINHash, m.state.PINRetries
}

func (m *memory) setPIN(hash []byte) error {
	return m.change(func(s *state) { s.PINHash, s.PINRetries = hash, maxPINRetries })
}

func (m *memory) setTries(n int) error {
	return m.change(func(s *state) { s.PINRetries = n })
}

func (m *memory) secret() []byte {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Secret
}

// sign counts a signature and returns its number (WebAuthn L2, 6.1.1: one
// counter for all credentials).
func (m *memory) sign() (n uint32, err error) {
	err = m.change(func(s *state) { s.SignCount++; n = s.SignCount })
	return n, err
}

func (m *memory) count() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.state.Credentials)
}

var errFull = errors.New("vkey: no room for another discoverable credential")

// add stores a discoverable credential, in place of one of the same user at
// the same relying party.
func (m *memory) add(c credential) error {
	var full error
	err := m.change(func(s *state) {
		same := func(o credential) bool { return o.RPID == c.RPID && bytes.Equal(o.UserID, c.UserID) }
		if len(s.Credentials) >= maxDiscoverable && !slices.ContainsFunc(s.Credentials, same) {
			full = errFull
			return
		}
		s.Credentials = slices.DeleteFunc(s.Credentials, same)
		s.Created++
		c.Order = s.Created
		s.Credentials = append(s.Credentials, c)
	})
	return errors.Join(full, err)
}

// find lists the discoverable credentials that match, latest first.
func (m *memory) find(match func(*credential) bool) []credential {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []credential
	for i := range m.state.Credentials {
		if match(&m.state.Credentials[i]) {
			found = append(found, m.state.Credentials[i])
		}
	}
	slices.SortFunc(found, func(a, b credential) int { return cmp.Compare(b.Order, a.Order) })
	return found
}
