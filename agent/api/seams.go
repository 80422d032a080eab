package api

import (
	"context"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/inventory"
)

// Inventory is what the handlers read from. Nothing of it does device I/O;
// Reread only asks for a read.
type Inventory interface {
	View() *inventory.View
	// Await returns once a snapshot is as wanted, or with ctx's error.
	Await(ctx context.Context, wanted func(*contract.Snapshot) bool) (*contract.Snapshot, error)
	Subscribe(ctx context.Context, after string) (*inventory.Subscription, error)
	Reread(id string) error
}

// TokenStore keeps tokens, as SHA-256 only. Token must not touch the disk.
type TokenStore interface {
	CreateToken(ctx context.Context, name string, rights []contract.Right, ttl time.Duration) (contract.NewToken, error)
	Token(secret []byte) (contract.Token, bool)
	TouchToken(ctx context.Context, id string) error
	Tokens() []contract.Token
	RevokeToken(ctx context.Context, idOrName string) error
}

// Virtual makes and handles virtual cards and keys. Its errors are
// failure.Error.
type Virtual interface {
	List() []contract.VirtualDevice
	Insert(ctx context.Context, card contract.VirtualInsert) (contract.VirtualDevice, error)
	Remove(ctx context.Context, name string) (contract.VirtualDevice, error)
	Swap(ctx context.Context, name string, card contract.VirtualInsert) (contract.VirtualDevice, error)
	Plug(ctx context.Context, key contract.VirtualPlug) (contract.VirtualDevice, error)
	Unplug(ctx context.Context, name string) (contract.VirtualDevice, error)
	Touch(ctx context.Context, name string) error
	// Delete takes a reader or key away for good.
	Delete(ctx context.Context, name string) error
	SetFaults(ctx context.Context, kind contract.Kind, name string, faults []contract.Fault) (contract.VirtualDevice, error)
}
