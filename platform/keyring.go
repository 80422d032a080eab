package platform

import (
	"context"
	"errors"
	"fmt"

	"github.com/zalando/go-keyring"
)

// keyringService is under which programs of ours keep secrets in the keyring.
const keyringService = "authbridge"

// ErrNoKeyring says that this session has no keyring that can be asked.
var ErrNoKeyring = errors.New("this session has no keyring")

// Keyring reads a secret that the user keeps in the keyring of the operating
// system: service authbridge, user name. A locked keyring asks the user, which
// may take as long as ctx allows; the library cannot be told to stop, so a call
// given up leaves a goroutine behind, and only short-lived programs may make it.
func Keyring(ctx context.Context, name string) ([]byte, error) {
	if !keyringReachable() {
		return nil, ErrNoKeyring
	}
	type answer struct {
		secret string
		err    error
	}
	got := make(chan answer, 1)
	go func() {
		secret, err := keyring.Get(keyringService, name)
		got <- answer{secret, err}
	}()
	select {
	case a := <-got:
		if errors.Is(a.err, keyring.ErrNotFound) {
			return nil, fmt.Errorf("the keyring has no secret %q of the service %s", name, keyringService)
		}
		return []byte(a.secret), a.err
	case <-ctx.Done():
		return nil, fmt.Errorf("the keyring did not answer, perhaps because it is locked: %w", ctx.Err())
	}
}
