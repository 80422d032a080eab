package fido

import (
	"context"
	"math"
	"sync"
	"time"
)

// presence is a plugged key as others than its watcher know it. Monitor.mu guards
// it.
type presence struct {
	node     Node
	reserved int
	// reading is closed once the read is over that is under way, or that is due
	// because the key was plugged; nil where there is none.
	reading chan struct{}
}

// enter notes a key that was plugged, to be read at once, and says how many
// wishes there were before.
func (m *Monitor) enter(node Node) (*presence, uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := &presence{node: node, reading: make(chan struct{})}
	m.known[node.Path] = p
	return p, m.wishes
}

// leave forgets a key that went.
func (m *Monitor) leave(p *presence) {
	m.over(p)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.known[p.node.Path] == p {
		delete(m.known, p.node.Path)
	}
}

// begin lets a read begin, unless the key is reserved. The first one, by which
// alone anything is known of the key, may always.
func (m *Monitor) begin(p *presence) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.reading == nil {
		if p.reserved > 0 {
			return false
		}
		p.reading = make(chan struct{})
	}
	return true
}

// over notes that no read is under way.
func (m *Monitor) over(p *presence) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p.reading != nil {
		close(p.reading)
		p.reading = nil
	}
}

// holds is whether a read that is due waits for a reservation to end.
func (m *Monitor) holds(p *presence) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return p.reserved > 0 && p.reading == nil
}

// Reservation keeps the monitor from a key for as long as the key is plugged.
type Reservation struct {
	m       *Monitor
	p       *presence
	release sync.Once
}

// Reserve keeps the monitor from reading a key, by its Node.Path, until the
// reservation is released: a read that is asked for or due meanwhile comes
// then. Only the read that a key gets when it is plugged takes place all the
// same. It fails with ErrGone if there is no such key. It does not wait for a
// read that is under way: that is Wait's.
func (m *Monitor) Reserve(path string) (*Reservation, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p := m.known[path]
	if p == nil {
		return nil, ErrGone
	}
	p.reserved++
	return &Reservation{m: m, p: p}, nil
}

// Wait waits until the monitor is done with the key. It fails with the
// context's error.
func (r *Reservation) Wait(ctx context.Context) error {
	r.m.mu.Lock()
	reading := r.p.reading
	r.m.mu.Unlock()
	if reading == nil {
		return nil
	}
	select {
	case <-reading:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Release ends the reservation. It is idempotent.
func (r *Reservation) Release() {
	r.release.Do(func() {
		r.m.mu.Lock()
		defer r.m.mu.Unlock()
		r.p.reserved--
		r.m.signal()
	})
}

// Open opens a key, by its Node.Path, once the monitor's own read of it is over
// and no other program keeps it from others, for which it waits as long as ctx
// allows: then the error is ErrInUse as well as the context's. It fails with
// ErrGone if there is no such key. Who keeps the key open for longer than a
// read takes reserves it first.
func (m *Monitor) Open(ctx context.Context, path string) (*Key, error) {
	r, err := m.Reserve(path)
	if err != nil {
		return nil, err
	}
	defer r.Release()
	if err := r.Wait(ctx); err != nil {
		return nil, err
	}
	return openShared(ctx, m.bus, r.p.node, time.Duration(math.MaxInt64))
}
