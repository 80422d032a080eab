//go:build unix

package platform

import (
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// What systemd is told (sd_notify(3)).
const (
	listens   = daemon.SdNotifyReady
	reloading = daemon.SdNotifyReloading
	stopping  = daemon.SdNotifyStopping
	lives     = daemon.SdNotifyWatchdog
)

// tell: who does not hear it starts us anew, so there is nothing to do about it.
func tell(state string) { _, _ = daemon.SdNotify(false, state) }

func tellWhy(why string) { tell("STATUS=" + why) }

// watchdog is how long the daemon may be silent; 0: nobody listens.
func watchdog() time.Duration {
	limit, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return 0
	}
	return limit
}
