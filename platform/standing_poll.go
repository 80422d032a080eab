//go:build !linux

package platform

import (
	"context"
	"time"
)

// standingAgain is how soon what changed is seen: nothing tells of all of it here.
const standingAgain = 5 * time.Second

type standingWatch struct{}

func newStandingWatch(context.Context) standingWatch { return standingWatch{} }

func (standingWatch) look(uid string) Standing { return look(uid) }

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
