package platform

import (
	"context"
	"time"
)

// Supervisor is the manager of services that started this process, if one did
// that wants to hear of it: systemd (sd_notify(3)), or that of Windows (see
// RunService there). Where there is none nothing is said.
type Supervisor struct{}

// Ready says that the daemon listens.
func (Supervisor) Ready() { tell(listens) }

// Reloading says that the daemon reads its configuration anew; Ready ends it.
func (Supervisor) Reloading() { tell(reloading) }

// Stopping says that the daemon ends.
func (Supervisor) Stopping() { tell(stopping) }

// Failed says why the daemon does not start or go on, in one line. systemd keeps it
// as long as the service stays down ([ServiceState], Why); on Windows it is in the
// event log.
func (Supervisor) Failed(why string) { tellWhy(why) }

// Watch tells the manager that the daemon lives, as often as it wants to hear
// it, as long as alive says so. It returns when ctx ends; at once where nobody
// watches.
func (Supervisor) Watch(ctx context.Context, alive func(context.Context) error) {
	if limit := watchdog(); limit > 0 {
		watch(ctx, limit, alive, func() { tell(lives) })
	}
}

func watch(ctx context.Context, limit time.Duration, alive func(context.Context) error, lives func()) {
	// Two chances within the limit (sd_watchdog_enabled(3)).
	tick := time.NewTicker(limit / 2)
	defer tick.Stop()
	for {
		asked, cancel := context.WithTimeout(ctx, limit/4)
		if alive(asked) == nil {
			lives()
		}
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
