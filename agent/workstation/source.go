package workstation

import (
	"context"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

const (
	// again is how soon a look is repeated while somebody is interested.
	again = 30 * time.Second
	// interest is how long who asked is: as long as readiness can be waited for.
	interest = 5 * time.Minute
)

// SourceName is the name of the source.
const SourceName = "workstation"

// mock is the one target that needs nothing of this machine's software.
const mock = "mock"

// Config is what a source needs.
type Config struct {
	// Look looks at this machine; it ends with ctx, and soon without.
	Look func(ctx context.Context) health.Workstation
	// Windows is whether this is a machine with Windows.
	Windows bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Source is an inventory.Source. Its methods but Run may be called concurrently,
// before, during and after Run.
type Source struct {
	config Config
	wake   chan struct{} // holds a token while somebody has asked or told

	mu       sync.Mutex       // guards what follows
	asked    time.Time        // when somebody last showed interest
	sessions []health.Session // the oldest word first
	news     bool             // of sessions, which Run has not published
}

// New makes a source. It looks at nothing before Run.
func New(config Config) *Source {
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Source{config: config, wake: make(chan struct{}, 1)}
}

// Name is the source's name.
func (s *Source) Name() string { return SourceName }

// Ask says that somebody is interested in a target, for which the machine is then
// looked at in the background if it was not of late. It returns at once.
func (s *Source) Ask(target string) {
	if target == mock {
		return
	}
	s.mu.Lock()
	s.asked = s.config.Now()
	s.mu.Unlock()
	s.nudge()
}

// nudge has Run see what is new.
func (s *Source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run looks, and publishes what it sees and hears, until ctx ends.
func (s *Source) Run(ctx context.Context, publish func(inventory.Observation)) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		seen := s.config.Look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		for fresh := true; fresh; {
			w := seen
			told, until := s.held()
			w.Sessions = slices.Concat(seen.Sessions, told)
			publish(inventory.Observation{
				Source:      contract.Source{Name: SourceName, State: "up", ObservedAt: w.At},
				Workstation: &w,
			})
			var ended bool
			if fresh, ended = s.wait(ctx, timer, seen.At.Add(again), until); ended {
				return nil
			}
		}
	}
}

// wait returns when there is something to do: sessions to publish anew while the
// look is fresh, a look, or the end.
func (s *Source) wait(ctx context.Context, timer *time.Timer, look, until time.Time) (fresh, ended bool) {
	for {
		now := s.config.Now()
		interested, news := s.state(now)
		next := until
		if interested && (next.IsZero() || look.Before(next)) {
			next = look
		}
		switch {
		case interested && !now.Before(look):
			return false, false
		case news, !until.IsZero() && !now.Before(until):
			return true, false
		}
		timer.Stop()
		var ring <-chan time.Time
		if !next.IsZero() {
			timer.Reset(next.Sub(now))
			ring = timer.C
		}
		select {
		case <-ctx.Done():
			return false, true
		case <-s.wake:
		case <-ring:
		}
	}
}

// state is whether anybody asked of late, and whether sessions have told
// something new.
func (s *Source) state(now time.Time) (interested, news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.asked.IsZero() && now.Sub(s.asked) < interest, s.news
}
