package target

import (
	"context"
	"sync"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
)

const (
	// interest is how long somebody who asked has a target looked at.
	interest = time.Hour
	// again is when a good look is repeated: discovery may be kept for an hour
	// (NHS: discovery).
	again = time.Hour
	// A bad one is repeated soon at first, and then ever later.
	retryFirst = 5 * time.Second
	retryMost  = 5 * time.Minute
)

// due is when a target is to be looked at next, by when somebody last asked, the
// last look and how many looks in a row were bad; false: not before somebody asks
// again.
func due(asked time.Time, look *health.Look, bad int) (at time.Time, ok bool) {
	if asked.IsZero() {
		return at, false
	}
	at = asked
	if look != nil {
		wait := again
		if bad > 0 {
			wait = min(retryFirst<<min(bad-1, 10), retryMost)
		}
		if next := look.At.Add(wait); next.After(at) {
			at = next
		}
	}
	return at, at.Sub(asked) < interest
}

// good is whether nothing was amiss that a network might bring back.
func (t *Target) good(look *health.Look) bool {
	return look.Trouble == "" && look.NoHSCN == "" && cis2.IssuerDifference(t.Issuer, look.Issuer) == ""
}

// watched is a target as Run knows it.
type watched struct {
	*Target
	look    *health.Look
	bad     int // looks in a row
	looking bool
}

// looked is a look that is over.
type looked struct {
	at   *watched
	look *health.Look
}

// Run looks at targets while somebody is interested, and publishes what it sees,
// until ctx ends.
func (s *Source) Run(ctx context.Context, publish func(inventory.Observation)) error {
	all := make([]*watched, len(s.config.Targets))
	for i := range s.config.Targets {
		all[i] = &watched{Target: &s.config.Targets[i]}
	}
	tell := func() {
		o := inventory.Observation{Source: contract.Source{Name: SourceName, State: "up", ObservedAt: s.config.Now()}}
		for _, w := range all {
			o.Targets = append(o.Targets, w.seen(w.look))
		}
		publish(o)
	}
	tell()
	over := make(chan looked)
	var looks sync.WaitGroup
	defer looks.Wait() // they end with ctx
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Stop()
		var ring <-chan time.Time
		if next, ok := s.begin(ctx, all, &looks, over); ok {
			timer.Reset(next.Sub(s.config.Now()))
			ring = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ring:
		case <-s.wake:
			if s.takeOrdered(all) {
				tell()
			}
		case l := <-over:
			l.at.looking = false
			l.at.take(l.look)
			tell()
		}
	}
}

// begin begins the looks that are due, and says when the next one is.
func (s *Source) begin(ctx context.Context, all []*watched, looks *sync.WaitGroup, over chan<- looked) (next time.Time, ok bool) {
	now := s.config.Now()
	for _, w := range all {
		if w.looking || w.Issuer == "" {
			continue
		}
		s.mu.Lock()
		asked := s.asked[w.Name]
		s.mu.Unlock()
		at, isDue := due(asked, w.look, w.bad)
		switch {
		case !isDue:
		case !at.After(now):
			w.looking = true
			looks.Go(func() {
				look := s.look(ctx, w.Target)
				select {
				case over <- looked{w, look}:
				case <-ctx.Done():
				}
			})
		case !ok || at.Before(next):
			next, ok = at, true
		}
	}
	return next, ok
}

// takeOrdered takes what login runs have seen.
func (s *Source) takeOrdered(all []*watched) (news bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range all {
		if look := s.ordered[w.Name]; look != nil {
			w.take(look)
			news = true
		}
	}
	clear(s.ordered)
	return news
}

// take keeps the newest look.
func (w *watched) take(look *health.Look) {
	if w.look != nil && look.At.Before(w.look.At) {
		return
	}
	w.look = look
	if w.good(look) {
		w.bad = 0
	} else {
		w.bad++
	}
}
