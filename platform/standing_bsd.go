//go:build unix && !linux

package platform

import (
	"context"
	"os"
	"strconv"
	"time"
)

// standingAgain is how soon what changed is seen: nothing tells of it here.
const standingAgain = 5 * time.Second

type standingWatch struct{}

func newStandingWatch(context.Context) standingWatch { return standingWatch{} }

// look: on macOS the console belongs to who has the screen.
func (standingWatch) look(uid string) Standing {
	s := Standing{Admin: uid == "0", Member: inGroup(uid, serviceGroup)}
	if info, err := os.Stat("/dev/console"); err == nil {
		owner, ok := ownerOf(info)
		s.Present = ok && owner != 0 && strconv.Itoa(owner) == uid
	}
	return s
}

func (standingWatch) run(ctx context.Context, changed func()) {
	tick := time.NewTicker(standingAgain)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			changed()
		}
	}
}
