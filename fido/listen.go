package fido

import (
	"errors"
	"fmt"
	"time"
)

// listening is waiting for the answer to one message.
type listening struct {
	cid       uint32
	cmd       Command
	keepalive func(Keepalive)
	tempo     tempo
	begin     time.Time
	heard     time.Time // the last sign of life

	assembly assembly
	odd      error // what else came on our channel
	foreign  int   // packets of other channels
}

func (l *listening) deadline() time.Time {
	soon, end := l.heard.Add(l.tempo.patience), l.begin.Add(l.tempo.limit)
	if soon.Before(end) {
		return soon
	}
	return end
}

// take takes a packet; done, with an answer or an error, if it settles what
// becomes of the message.
func (l *listening) take(p *packet) (done bool, data []byte, err error) {
	if p.cid() != l.cid {
		l.foreign++ // hidraw gives every report to every opener
		return false, nil, nil
	}
	stray := !p.isInit() && !l.assembly.under
	m, err := l.assembly.add(p)
	switch {
	case stray: // to be ignored (CTAP 2.1, 11.2.5.4)
		l.odd = err
		return false, nil, nil
	case err != nil:
		return true, nil, err
	}
	l.heard = time.Now()
	if m == nil {
		return false, nil, nil
	}
	return l.settle(m)
}

func (l *listening) settle(m *message) (done bool, data []byte, err error) {
	switch {
	case m.cmd == l.cmd && l.cmd == CTAPHID_CBOR && len(m.data) == 0:
		return true, nil, &FrameError{"CTAPHID_CBOR without a status code"}
	case m.cmd == l.cmd:
		return true, m.data, nil
	case m.cmd == CTAPHID_KEEPALIVE && len(m.data) == 1:
		if l.keepalive != nil {
			l.keepalive(Keepalive(m.data[0]))
		}
		return false, nil, nil
	case m.cmd == CTAPHID_ERROR && len(m.data) == 1:
		return true, nil, &HIDError{l.cmd, m.data[0]}
	}
	return true, nil, &FrameError{fmt.Sprintf("%s is answered with %s of %d octets", l.cmd, m.cmd, len(m.data))}
}

// lateError is an answer that did not come in time.
type lateError struct {
	error
	others bool // while there was traffic of others
}

func (e *lateError) Unwrap() error { return e.error }

// crowdedOut says whether an answer may have been lost among those to others.
func crowdedOut(err error) bool {
	var late *lateError
	return errors.As(err, &late) && late.others
}

// late says what a key did that did not answer in time.
func (l *listening) late() error { return &lateError{l.verdict(), l.foreign > 0} }

func (l *listening) verdict() error {
	switch {
	case l.assembly.under:
		return &FrameError{fmt.Sprintf("the answer to %s is cut short", l.cmd)}
	case l.odd != nil:
		return l.odd
	case l.heard.After(l.begin):
		return fmt.Errorf("%w: still at work on %s after %v", ErrMute, l.cmd, time.Since(l.begin).Round(time.Millisecond))
	case l.foreign > 0:
		return fmt.Errorf("%w: no answer to %s within %v, %d packets for other channels", ErrMute, l.cmd, l.tempo.patience, l.foreign)
	}
	return fmt.Errorf("%w: no answer to %s within %v", ErrMute, l.cmd, l.tempo.patience)
}
