package platform

import (
	"fmt"
	"io"
)

// Held says who has a lock.
type Held struct {
	What string
	PID  int    // 0 when unknown
	User string // whose process that is, by name; empty when unknown
}

func (h *Held) Error() string {
	if h.PID == 0 {
		return h.What + " is held by another process"
	}
	held := fmt.Sprintf("%s is held by process %d", h.What, h.PID)
	if h.User != "" {
		held += " of " + h.User
	}
	return held
}

// LockFolder takes the one lock of a state folder; *Held if another living
// process has it. It ends with Close or with the process.
func LockFolder(dir string) (io.Closer, error) { return lockFolder(dir) }

// LockPhysical takes the one lock of this machine's physical authenticators;
// *Held if another living process has it. It ends with Close or with the
// process.
func LockPhysical() (io.Closer, error) { return lockPhysical(physicalLock) }

const physicalLock = "authbridge-physical"
