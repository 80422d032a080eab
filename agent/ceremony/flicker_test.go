package ceremony

import (
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/fido"
)

// TestAKeyThatFlickersFillsNoJournal: what a hostile key can have told of it, and
// kept, is bounded, however fast it says that it waits and waits not.
func TestAKeyThatFlickersFillsNoJournal(t *testing.T) {
	t.Parallel()
	var told []contract.Event
	a := &act{c: &Conductor{now: time.Now, config: Config{Tell: func(e ...contract.Event) { told = append(told, e...) }}}}
	u := &keyUse{w: &work{step: a.step}}
	flicker := u.keepalive()
	for range 1000 {
		flicker(fido.STATUS_UPNEEDED)
		flicker(fido.STATUS_PROCESSING)
	}
	if len(told) != 2*mostTouches {
		t.Errorf("%d events", len(told))
	}
	for range 1000 {
		a.step(contract.CeremonyInsert, nil)
		a.step(contract.CeremonyRunning, nil)
	}
	steps := a.snapshot().Steps
	if len(steps) != mostSteps || steps[0].State != contract.CeremonyTouch || steps[mostSteps-1].State != contract.CeremonyRunning {
		t.Errorf("%d steps are kept, the last %+v", len(steps), steps[len(steps)-1])
	}
}
