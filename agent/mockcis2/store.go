package mockcis2

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"time"

	"authbridge/agent/cis2"
)

// Key is what a user registered to sign in with: a WebAuthn credential, or the
// secret of an authenticator application.
type Key struct {
	ID            []byte
	User          string
	Authenticator cis2.Authenticator // security-key, platform, passkey or totp
	Record        json.RawMessage    // the server's own
	Registered    time.Time
	Used          time.Time
}

// Store keeps keys. The context bounds each call.
type Store interface {
	Keys(ctx context.Context, user string) ([]Key, error)
	// SaveKey adds a key, or replaces the one of its user that has its ID.
	SaveKey(ctx context.Context, key Key) error
}

// mostKeysOfUser and mostKeysKept bound what the page lets anybody register.
const (
	mostKeysOfUser = 20
	mostKeysKept   = 5000
)

// errFull is a store that takes no more keys.
var errFull = errors.New("no more keys are kept")

// Memory is a Store that forgets when the program ends.
type Memory struct {
	mu   sync.Mutex // guards keys
	keys map[string][]Key
	n    int
}

// NewMemory makes an empty one.
func NewMemory() *Memory { return &Memory{keys: make(map[string][]Key)} }

// Keys lists those of a user, in the order of their registration.
func (m *Memory) Keys(_ context.Context, user string) ([]Key, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.keys[user]), nil
}

// SaveKey keeps a key.
func (m *Memory) SaveKey(_ context.Context, key Key) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	of := m.keys[key.User]
	if i := slices.IndexFunc(of, func(k Key) bool { return string(k.ID) == string(key.ID) }); i >= 0 {
		of[i] = key
		return nil
	}
	if m.n >= mostKeysKept {
		return errFull
	}
	m.n++
	m.keys[key.User] = append(of, key)
	return nil
}
