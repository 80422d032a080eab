package login

import (
	"sync"

	"authbridge/agent/contract"
)

// ledger keeps what a run does, beside the run: what came while one write was
// under way is the next. Its methods are the run's; keep is called by one
// goroutine at a time, in the order of the steps.
type ledger struct {
	keep func(steps []contract.LoginStep)

	mu     sync.Mutex
	steps  []contract.LoginStep // that are not kept yet
	idle   chan struct{}        // closed once all are; nil: they are
	closed bool
}

// add has steps kept.
func (l *ledger) add(steps ...contract.LoginStep) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.steps = append(l.steps, steps...); l.idle == nil && !l.closed {
		l.idle = make(chan struct{})
		go l.work()
	}
}

func (l *ledger) work() {
	for {
		l.mu.Lock()
		steps := l.steps
		if len(steps) == 0 || l.closed {
			close(l.idle)
			l.idle = nil
			l.mu.Unlock()
			return
		}
		l.steps = nil
		l.mu.Unlock()
		l.keep(steps)
	}
}

// settle returns once all that was added is kept.
func (l *ledger) settle() {
	l.mu.Lock()
	idle := l.idle
	l.mu.Unlock()
	if idle != nil {
		<-idle
	}
}

// close ends the work, and gives what is not kept yet: it is the caller's to
// keep, and so is what is added after.
func (l *ledger) close() []contract.LoginStep {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.settle()
	l.mu.Lock()
	defer l.mu.Unlock()
	rest := l.steps
	l.steps = nil
	return rest
}
