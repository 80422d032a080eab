//go:build unix && !linux

package platform

import (
	"os"
	"strconv"
)

// look: on macOS the console belongs to who has the screen.
func look(uid string) Standing {
	s := Standing{Admin: uid == "0", Member: inGroup(uid, serviceGroup)}
	if info, err := os.Stat("/dev/console"); err == nil {
		owner, ok := ownerOf(info)
		s.Present = ok && owner != 0 && strconv.Itoa(owner) == uid
	}
	return s
}
