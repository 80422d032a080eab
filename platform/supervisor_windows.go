package platform

import (
	"time"

	"golang.org/x/sys/windows/svc"
)

// What the manager of services is told (SERVICE_STATUS). It has no word for a
// daemon that starts over, and no watchdog.
const (
	listens   = svc.Running
	reloading = svc.Running
	stopping  = svc.StopPending
	lives     = svc.Running
)

// tell says it to the service that this process is, if it is one.
func tell(state svc.State) {
	if s := serving.Load(); s != nil {
		s.states <- state
	}
}

func tellWhy(string) {}

func watchdog() time.Duration { return 0 }
