package vkey

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"authbridge/fido"
)

// Bus is a bus of virtual keys within the process. As behind hidraw, a key may
// be opened many times, and each opener gets every report that it sends.
type Bus struct {
	mu       sync.Mutex
	plugged  []*slot // in the order of plugging
	watchers []*watcher
	serial   uint64
}

// slot is a plugged key with its openers.
type slot struct {
	key   *Key
	node  fido.Node
	power *power

	mu    sync.Mutex
	links []*link
	gone  bool
}

// watcher is a call of Watch: the changes it was not told of yet.
type watcher struct {
	queue []fido.Change // guarded by Bus.mu
	wake  chan struct{}
}

var _ fido.Bus = (*Bus)(nil)

// NewBus makes an empty bus.
func NewBus() *Bus { return &Bus{} }

// ErrNotPlugged says that a key is not plugged into this bus.
var ErrNotPlugged = errors.New("vkey: the key is not plugged into this bus")

// Plug plugs a key in and gives it power.
func (b *Bus) Plug(k *Key) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := &slot{key: k}
	p, err := k.powerUp(s.broadcast)
	if err != nil {
		return err
	}
	b.serial++
	s.power, s.node = p, k.node(fmt.Sprintf("vkey:%d", b.serial))
	s.node.Port = "vkey:" + k.Name()
	b.plugged = append(b.plugged, s)
	b.publish(fido.Change{Node: s.node})
	return nil
}

// Unplug pulls a key out, whatever it is doing. When it returns, the key has
// no power and every opener knows that it went.
func (b *Bus) Unplug(k *Key) error {
	b.mu.Lock()
	i := slices.IndexFunc(b.plugged, func(s *slot) bool { return s.key == k })
	if i < 0 {
		b.mu.Unlock()
		return ErrNotPlugged
	}
	s := b.plugged[i]
	b.plugged = slices.Delete(b.plugged, i, i+1)
	b.publish(fido.Change{Gone: true, Node: s.node})
	b.mu.Unlock()
	s.power.cut()
	s.close()
	return nil
}

// Close unplugs every key.
func (b *Bus) Close() {
	for {
		b.mu.Lock()
		var k *Key
		if len(b.plugged) > 0 {
			k = b.plugged[0].key
		}
		b.mu.Unlock()
		if k == nil {
			return
		}
		_ = b.Unplug(k) // somebody else may have been faster
	}
}

// publish appends a change to what each watcher is still to be told.
func (b *Bus) publish(c fido.Change) {
	for _, w := range b.watchers {
		w.queue = append(w.queue, c)
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// Watch implements fido.Bus.
func (b *Bus) Watch(ctx context.Context, found func(fido.Change)) error {
	w := &watcher{wake: make(chan struct{}, 1)}
	b.mu.Lock()
	for _, s := range b.plugged {
		w.queue = append(w.queue, fido.Change{Node: s.node})
	}
	w.queue = append(w.queue, fido.Change{Settled: true})
	b.watchers = append(b.watchers, w)
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.watchers = slices.DeleteFunc(b.watchers, func(o *watcher) bool { return o == w })
	}()
	for {
		b.mu.Lock()
		changes := w.queue
		w.queue = nil
		b.mu.Unlock()
		for _, c := range changes {
			if ctx.Err() != nil {
				return nil
			}
			found(c)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-w.wake:
		}
	}
}

// Open implements fido.Bus.
func (b *Bus) Open(ctx context.Context, node fido.Node) (fido.Link, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b.mu.Lock()
	i := slices.IndexFunc(b.plugged, func(s *slot) bool { return s.node.Path == node.Path })
	var s *slot
	if i >= 0 {
		s = b.plugged[i]
	}
	b.mu.Unlock()
	if s == nil {
		return nil, fmt.Errorf("vkey: open %s: %w", node.Path, fido.ErrGone)
	}
	return s.open()
}
