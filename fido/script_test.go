package fido

import (
	"encoding/binary"
	"os"
	"sync"
	"testing"
	"time"
)

// script is a key that a test writes: it gets whole messages and says which
// packets come back, at once or later.
type script struct {
	t      *testing.T
	answer func(s *script, cid uint32, m message)

	mu       sync.Mutex
	queue    []packet
	assembly map[uint32]*assembly
	got      []message // all but CTAPHID_INIT
	inits    int
	closed   bool
	broken   error
	wake     chan struct{}
}

const ourCID = 0x0a0b0c0d

func newScript(t *testing.T, answer func(s *script, cid uint32, m message)) *script {
	return &script{t: t, answer: answer, assembly: map[uint32]*assembly{}, wake: make(chan struct{}, 1)}
}

// say queues packets for the host.
func (s *script) say(frames ...packet) {
	s.mu.Lock()
	s.queue = append(s.queue, frames...)
	s.mu.Unlock()
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *script) reply(cid uint32, cmd Command, data ...byte) {
	s.say(packets(cid, message{cmd, data})...)
}

// hello answers CTAPHID_INIT.
func (s *script) hello(cid uint32, nonce []byte, capabilities byte) {
	a := append(append([]byte{}, nonce...), 0, 0, 0, 0, 2, 5, 4, 3, capabilities)
	binary.BigEndian.PutUint32(a[8:], ourCID)
	s.reply(cid, CTAPHID_INIT, a...)
}

func (s *script) pull(err error) {
	s.mu.Lock()
	s.broken = err
	s.mu.Unlock()
	s.say()
}

func (s *script) WriteReport(p []byte) error {
	if len(p) != ReportSize {
		s.t.Errorf("a report of %d octets was written", len(p))
	}
	s.mu.Lock()
	if s.broken != nil {
		defer s.mu.Unlock()
		return s.broken
	}
	var f packet
	copy(f[:], p)
	a := s.assembly[f.cid()]
	if a == nil {
		a = &assembly{}
		s.assembly[f.cid()] = a
	}
	m, err := a.add(&f)
	if err != nil {
		s.t.Errorf("we wrote: %v", err)
	}
	if m != nil && m.cmd == CTAPHID_INIT {
		s.inits++
	} else if m != nil {
		s.got = append(s.got, *m)
	}
	s.mu.Unlock()
	if m != nil {
		s.answer(s, f.cid(), *m)
	}
	return nil
}

func (s *script) ReadReport(p []byte, deadline time.Time) error {
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	for {
		s.mu.Lock()
		switch {
		case s.closed:
			s.mu.Unlock()
			return ErrClosed
		case s.broken != nil:
			defer s.mu.Unlock()
			return s.broken
		case len(s.queue) > 0:
			copy(p, s.queue[0][:])
			s.queue = s.queue[1:]
			s.mu.Unlock()
			return nil
		}
		s.mu.Unlock()
		select {
		case <-s.wake:
		case <-timer.C:
			return os.ErrDeadlineExceeded
		}
	}
}

func (s *script) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.say()
	return nil
}

// messages are those that were got since the last call.
func (s *script) messages() []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := s.got
	s.got = nil
	return got
}
