package vkey

import (
	"errors"
	"time"

	"authbridge/fido"
)

// ErrPlugged says that a key is plugged in already.
var ErrPlugged = errors.New("vkey: the key is plugged in already")

// power is a key from being plugged in until it is unplugged: the goroutine
// that owns its machine. Two of them are a power cycle.
type power struct {
	key  *Key
	in   chan report
	ctl  chan func(*machine)
	end  chan struct{} // closed to cut the power
	done chan struct{} // closed when the goroutine is gone
}

// powerUp gives the key power. out gets its reports, in order, from one
// goroutine; it must not block for long.
func (k *Key) powerUp(out func(report)) (*power, error) {
	p := &power{
		key: k, in: make(chan report), ctl: make(chan func(*machine)),
		end: make(chan struct{}), done: make(chan struct{}),
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.power != nil {
		return nil, ErrPlugged
	}
	k.power = p
	go p.run(newMachine(k, time.Now(), out))
	return p, nil
}

func (p *power) run(m *machine) {
	defer close(p.done)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		var due <-chan time.Time
		if at, ok := m.wake(); ok {
			timer.Reset(time.Until(at))
			due = timer.C
		}
		select {
		case <-p.end:
			m.end()
			return
		case r := <-p.in:
			m.input(time.Now(), r)
		case do := <-p.ctl:
			do(m)
		case <-due:
			m.tick(time.Now())
		}
	}
}

// write hands a report to the key. It waits while the key is at work, as a
// host waits on a device that does not take more.
func (p *power) write(octets []byte) error {
	r, ok := padded(octets)
	if !ok {
		return nil // no packet; a device sees it and ignores it
	}
	select {
	case p.in <- r:
		return nil
	case <-p.done:
		return fido.ErrGone
	}
}

// do runs a function on the machine, unless the power went.
func (p *power) do(f func(*machine)) {
	ran := make(chan struct{})
	select {
	case p.ctl <- func(m *machine) { f(m); close(ran) }:
		<-ran
	case <-p.done:
	}
}

func (p *power) touch() (touched bool) {
	p.do(func(m *machine) {
		now := time.Now()
		touched = m.key.settings().touch != TouchNever && m.touched(now)
	})
	return touched
}

func (p *power) kick() { p.do(func(m *machine) { m.tick(time.Now()) }) }

// cut takes the power away and waits until all is dark.
func (p *power) cut() {
	p.key.mu.Lock()
	if p.key.power == p {
		p.key.power = nil
		close(p.end)
	}
	p.key.mu.Unlock()
	<-p.done
}
