package workstation

import (
	"context"
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
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Source is an inventory.Source. Its methods but Run may be called concurrently,
// before, during and after Run.
type Source struct {
	config Config
	wake   chan struct{} // holds a token while somebody has asked

	mu    sync.Mutex
	asked time.Time // when somebody last showed interest
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
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run looks, and publishes what it sees, until ctx ends.
func (s *Source) Run(ctx context.Context, publish func(inventory.Observation)) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		w := s.config.Look(ctx)
		if ctx.Err() != nil {
			return nil
		}
		publish(inventory.Observation{
			Source:      contract.Source{Name: SourceName, State: "up", ObservedAt: w.At},
			Workstation: &w,
		})
		for next := w.At.Add(again); ; {
			timer.Stop()
			var ring <-chan time.Time
			if s.interested() {
				timer.Reset(next.Sub(s.config.Now()))
				ring = timer.C
			}
			select {
			case <-ctx.Done():
				return nil
			case <-s.wake:
				continue
			case <-ring:
			}
			break
		}
	}
}

// interested is whether anybody asked of late.
func (s *Source) interested() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.asked.IsZero() && s.config.Now().Sub(s.asked) < interest
}
