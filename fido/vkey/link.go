package vkey

import (
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	"authbridge/fido"
)

// maxQueued is how many reports wait for a slow reader before further ones
// are lost, as behind hidraw; more than the longest message has.
const maxQueued = 512

// link is one opening of a key.
type link struct {
	slot *slot

	mu     sync.Mutex
	queue  []report
	gone   bool
	closed bool
	wake   chan struct{} // holds a token while there is news for the reader
}

func (s *slot) open() (fido.Link, error) {
	l := &link{slot: s, wake: make(chan struct{}, 1)}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gone {
		return nil, fmt.Errorf("vkey: open %s: %w", s.node.Path, fido.ErrGone)
	}
	s.links = append(s.links, l)
	return l, nil
}

// broadcast gives a report to every opener.
func (s *slot) broadcast(r report) {
	s.mu.Lock()
	links := slices.Clone(s.links)
	s.mu.Unlock()
	for _, l := range links {
		l.push(r)
	}
}

// close tells every opener that the key went.
func (s *slot) close() {
	s.mu.Lock()
	links := s.links
	s.links, s.gone = nil, true
	s.mu.Unlock()
	for _, l := range links {
		l.mu.Lock()
		l.gone = true
		l.mu.Unlock()
		l.signal()
	}
}

func (l *link) push(r report) {
	l.mu.Lock()
	if len(l.queue) < maxQueued {
		l.queue = append(l.queue, r)
	}
	l.mu.Unlock()
	l.signal()
}

func (l *link) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pop takes the next report; none and no error: wait.
func (l *link) pop(p []byte) (got bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		return false, os.ErrClosed
	case l.gone:
		return false, fido.ErrGone
	case len(l.queue) == 0:
		return false, nil
	}
	copy(p, l.queue[0][:])
	l.queue = l.queue[1:]
	return true, nil
}

// ReadReport implements fido.Link.
func (l *link) ReadReport(p []byte, deadline time.Time) error {
	if len(p) != fido.ReportSize {
		return fmt.Errorf("vkey: read into %d octets, want %d", len(p), fido.ReportSize)
	}
	var late <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		late = timer.C
	}
	for {
		if got, err := l.pop(p); got || err != nil {
			return err
		}
		select {
		case <-l.wake:
		case <-late:
			return os.ErrDeadlineExceeded
		}
	}
}

// WriteReport implements fido.Link. As behind hidraw a report may come with
// the report number 0 in front, and cut short of its padding.
func (l *link) WriteReport(p []byte) error {
	l.mu.Lock()
	closed, gone := l.closed, l.gone
	l.mu.Unlock()
	switch {
	case closed:
		return os.ErrClosed
	case gone:
		return fido.ErrGone
	}
	return l.slot.power.write(p)
}

// Close implements fido.Link.
func (l *link) Close() error {
	l.slot.mu.Lock()
	l.slot.links = slices.DeleteFunc(l.slot.links, func(o *link) bool { return o == l })
	l.slot.mu.Unlock()
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
	return nil
}
