package platform

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"
)

// serviceGroup is the group whose members may use the system service
// (units/sysusers.conf; on Windows a local one).
const serviceGroup = ServiceName

// Standing is what a user of this machine is to it.
type Standing struct {
	// Admin: root, or one of the administrators of Windows. Whether a process of
	// theirs may act as that is told by its [Peer].
	Admin bool
	// Member of the group authbridge, as the system's database has it now,
	// whatever a process was given when its session began.
	Member bool
	// Present: the active session at a screen of this machine is theirs.
	Present bool
}

const (
	// standingAge bounds how long one is taken as true that nothing was heard of:
	// not every source of groups says when it changes.
	standingAge = time.Minute
	// mostStandings bounds those that are remembered.
	mostStandings = 4096
)

// Standings knows what the users of this machine are to it. The system says when
// that may have changed, so that it is asked once, and not by each request.
type Standings struct {
	look func(uid string) Standing
	now  func() time.Time
	old  chan struct{} // somebody wants to know what was not looked at for long

	mu      sync.Mutex
	known   map[string]seen // by uid
	changes uint64          // that were heard of
	changed chan struct{}
}

type seen struct {
	Standing
	at time.Time
}

func newStandings(look func(uid string) Standing) *Standings {
	return &Standings{look: look, now: time.Now, old: make(chan struct{}, 1), known: make(map[string]seen), changed: make(chan struct{})}
}

// OpenStandings looks who is there and begins to listen for what changes; that ends with ctx, and wait
// returns once it has.
func OpenStandings(ctx context.Context) (s *Standings, wait func()) {
	watch := newStandingWatch(ctx)
	s = newStandings(watch.look)
	var listening sync.WaitGroup
	listening.Go(func() { watch.run(ctx, s.again) })
	listening.Go(func() { s.renew(ctx) })
	return s, listening.Wait
}

// renew asks anew about everybody when it was not done for long and somebody
// wants to know.
func (s *Standings) renew(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.old:
			s.again()
		}
	}
}

// Of is the standing of a user, by the id of a [Peer]; that of nobody where the
// system knows no such user. It asks the system about one who is new, and waits
// for nothing else.
func (s *Standings) Of(uid string) Standing {
	s.mu.Lock()
	known, ok := s.known[uid]
	asked := s.changes
	s.mu.Unlock()
	if ok {
		if s.now().Sub(known.at) >= standingAge {
			select {
			case s.old <- struct{}{}:
			default: // it is asked already
			}
		}
		return known.Standing
	}
	is := s.look(uid)
	s.learn(uid, is, asked)
	return is
}

// Changed is closed when somebody's standing is another.
func (s *Standings) Changed() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.changed
}

// again asks anew about everybody who is known.
func (s *Standings) again() {
	s.mu.Lock()
	s.changes++
	asked, uids := s.changes, slices.Collect(maps.Keys(s.known))
	s.mu.Unlock()
	for _, uid := range uids {
		s.learn(uid, s.look(uid), asked)
	}
}

// learn keeps an answer, but for one from before the newest change: whoever heard
// of that asks again.
func (s *Standings) learn(uid string, is Standing, asked uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if asked != s.changes {
		return
	}
	was, known := s.known[uid]
	full := !known && len(s.known) >= mostStandings
	if full {
		clear(s.known)
	}
	s.known[uid] = seen{is, s.now()}
	if known && was.Standing != is || full { // whoever is forgotten is to ask again
		close(s.changed)
		s.changed = make(chan struct{})
	}
}
