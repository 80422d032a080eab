//go:build linux && e2e

package kernel_test

import (
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// TestFiguresOfAPlug measures, and asserts nothing about time (docs/performance.md):
// from the plug to udev's message at the least program that reads it, and to
// our event at a client.
func TestFiguresOfAPlug(t *testing.T) {
	group := keyRules(t)
	udevAtRest(t)
	b := startBridge(t, group)
	k := guestKey(t, "guest-figures")
	udev := stamp(t, listenToUdev(t))
	events := stamp(t, b.follow())
	const rounds = 25
	var reader, ours, added []time.Duration
	for range rounds {
		began := time.Now()
		u := plugUHID(t, k)
		heard := nextStamped(t, udev, func(m told) bool { return m.action == "add" })
		seen := nextStamped(t, events, func(e contract.Event) bool { return e.Type == contract.KeyPlugged })
		reader = append(reader, heard.Sub(began))
		ours = append(ours, seen.Sub(began))
		added = append(added, seen.Sub(heard))
		// Each round begins at rest.
		nextStamped(t, events, func(e contract.Event) bool {
			return e.Authenticator != nil && e.Authenticator.Condition == contract.Ready
		})
		if err := u.Unplug(); err != nil {
			t.Error(err)
		}
		nextStamped(t, udev, func(m told) bool { return m.action == "remove" })
		nextStamped(t, events, func(e contract.Event) bool { return e.Type == contract.KeyUnplugged })
		udevAtRest(t)
	}
	t.Logf("plug → udev's message at a bare netlink reader %v, our event at a client %v, after the reader %v (p50, p99)", ends(reader), ends(ours), ends(added))
	text, err := json.Marshal(map[string]any{"rounds": rounds, "reader": ends(reader), "ours": ends(ours), "added": ends(added)})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("figures of a plug: %s", text) // e2e/bench reads them
}

// ends are p50 and p99.
func ends(d []time.Duration) [2]time.Duration {
	sorted := slices.Sorted(slices.Values(d))
	return [2]time.Duration{sorted[len(sorted)/2], sorted[len(sorted)*99/100]}
}

type stamped[T any] struct {
	what T
	at   time.Time
}

// stamp notes when each came.
func stamp[T any](t *testing.T, in <-chan T) <-chan stamped[T] {
	t.Helper()
	out := make(chan stamped[T], 1000)
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case what, ok := <-in:
				if !ok {
					return
				}
				out <- stamped[T]{what, time.Now()}
			case <-t.Context().Done():
				return
			}
		}
	})
	t.Cleanup(work.Wait)
	return out
}

func nextStamped[T any](t *testing.T, in <-chan stamped[T], wanted func(T) bool) time.Time {
	t.Helper()
	late := time.NewTimer(patience)
	defer late.Stop()
	for {
		select {
		case s := <-in:
			if wanted(s.what) {
				return s.at
			}
		case <-late.C:
			t.Fatal("what was waited for did not come")
		}
	}
}
