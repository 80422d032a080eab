package lease

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
)

// endedKept is how many leases that have ended can still be found.
const endedKept = 1000

// index is what callers read of the book, without asking its owner. The owner
// alone writes it.
type index struct {
	mu     sync.RWMutex
	byName map[string]*indexed
	tokens map[[sha256.Size]byte]*indexed // also of those that have ended: what is over is known
	over   []string                       // names of those that have ended, oldest first
	list   []contract.Lease
}

// indexed is one lease. It is replaced, never changed.
type indexed struct {
	lease contract.Lease
	owner contract.Owner
	token [sha256.Size]byte
	due   time.Time
	ended <-chan struct{}
}

func newIndex() *index {
	return &index{byName: make(map[string]*indexed), tokens: make(map[[sha256.Size]byte]*indexed)}
}

// put shows an entry as it is now.
func (x *index) put(e *entry) {
	now := &indexed{lease: e.lease, owner: e.owner, token: e.token, due: e.due, ended: e.ended}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.byName[e.name] = now
	if e.token != ([sha256.Size]byte{}) { // in the queue it has none
		x.tokens[e.token] = now
	}
	if e.lease.State != contract.LeaseEnded {
		return
	}
	x.over = append(x.over, e.name)
	if len(x.over) > endedKept {
		if oldest := x.byName[x.over[0]]; oldest != nil {
			delete(x.tokens, oldest.token)
		}
		delete(x.byName, x.over[0])
		x.over = x.over[1:]
	}
}

// show replaces the list, which must not be changed after.
func (x *index) show(list []contract.Lease) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.list = list
}

func (x *index) all() []contract.Lease {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return slices.Clone(x.list)
}

// find finds a lease by any id that it had or could have had.
func (x *index) find(id string) (*indexed, bool) {
	x.mu.RLock()
	defer x.mu.RUnlock()
	found, ok := x.byName[nameIn(id)]
	return found, ok
}

// holder finds the lease whose own token that is, or was. The look-up is by hash,
// so its time tells nothing about a secret.
func (x *index) holder(secret []byte) (*indexed, bool) {
	sum := sha256.Sum256(secret)
	x.mu.RLock()
	defer x.mu.RUnlock()
	found, ok := x.tokens[sum]
	return found, ok
}
