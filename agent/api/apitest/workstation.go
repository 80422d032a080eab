package apitest

import (
	"sync"

	"authbridge/agent/contract"
)

// Workstation plays the source that hears what users' sessions say.
type Workstation struct {
	mu   sync.Mutex
	said map[string]contract.HelloReport
}

// TellHello keeps the word of who tells it.
func (w *Workstation) TellHello(who string, report contract.HelloReport) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.said == nil {
		w.said = make(map[string]contract.HelloReport)
	}
	w.said[who] = report
	return nil
}

// Said is what somebody has said last.
func (w *Workstation) Said(who string) (contract.HelloReport, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	report, ok := w.said[who]
	return report, ok
}
