package ceremony

import (
	"context"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/fido"
)

// station is where the ceremonies of one lease are carried out, one after the
// other, by a goroutine of its own. It owns all that is open of the
// authenticator.
type station struct {
	c       *Conductor
	grant   lease.Grant
	release func() // of the claim
	ctx     context.Context
	cancel  context.CancelCauseFunc
	acts    chan *act     // holds the next one
	done    chan struct{} // closed once the authenticator is left
	remarks []string      // of leaving it; read after done
	stays   bool          // what was to be deleted from a key; read after done

	busy    *act          // under Conductor.mu
	last    chan struct{} // done of the one that was busy before; under Conductor.mu
	closing bool          // under Conductor.mu

	// The goroutine's own.
	used bool // the authenticator was, or may have been, touched
	// token may delete the discoverable credentials made in the lease, until
	// the timer says that the key is about to forget it. The PIN that it was
	// got with is not kept.
	token *fido.Token
	timer *time.Timer
	// made counts the discoverable credentials that may have been made and are
	// to be deleted. Of a lease that outlived a restart, the store knows them:
	// then counted is false.
	made    int
	counted bool
	// early are remarks of before the end.
	early []string
}

// lasting is how long a token is taken to be of use: a key forgets it after 10
// minutes (CTAP 2.1, 6.5.2.1).
const lasting = 9*time.Minute + 30*time.Second

const (
	// leaving bounds what is done to leave an authenticator as it was found,
	// closing how long is waited for that and for the ceremony under way.
	leaving = 15 * time.Second
	closing = 30 * time.Second
)

// Open lets ceremonies be done under a lease, and keeps the daemon's own probes
// away from its authenticator.
func (c *Conductor) Open(ctx context.Context, grant lease.Grant) error {
	grant.Owner.Lease = grant.Lease
	c.mu.Lock()
	already := c.stations[grant.Lease] != nil
	c.mu.Unlock()
	if already {
		return openAlready()
	}
	release, err := c.config.Hardware.Claim(ctx, grant.Authenticator.ID)
	if err != nil {
		return err
	}
	s := &station{
		c: c, grant: grant, release: release,
		acts: make(chan *act, 1), done: make(chan struct{}),
	}
	s.ctx, s.cancel = context.WithCancelCause(c.ctx)
	c.mu.Lock()
	switch {
	case c.over:
		err = &failure.Error{Code: failure.ShuttingDown}
	case c.stations[grant.Lease] != nil:
		err = openAlready()
	default:
		c.stations[grant.Lease] = s
		c.adopt(grant)
	}
	c.mu.Unlock()
	if err != nil {
		s.cancel(err)
		release()
		return err
	}
	go s.run()
	return nil
}

// adopt gives back to their owner the ceremonies that the last daemon left in
// the middle: what is kept of one does not tell whose it is. Who calls it holds
// c.mu.
func (c *Conductor) adopt(grant lease.Grant) {
	for id, a := range c.acts {
		if a.station == nil && a.owner.Lease == grant.Lease {
			c.acts[id] = &act{c: c, id: id, owner: grant.Owner, done: a.done, state: a.snapshot()}
		}
	}
}

func openAlready() error {
	return &failure.Error{Code: failure.Conflict, Detail: "the lease is open already"}
}

// Close ends the ceremony that is under way, if there is one, and leaves the
// authenticator as it was found. What takes longer than ctx allows, or 30 s, is
// ended all the same, and the remarks say so.
func (c *Conductor) Close(ctx context.Context, id string, why contract.LeaseEnd) (remarks []string) {
	c.mu.Lock()
	s := c.stations[id]
	if s != nil {
		s.closing = true
	}
	c.mu.Unlock()
	if s == nil {
		return nil
	}
	s.cancel(&failure.Error{Code: failure.CeremonyCancelled, Detail: "the lease ended: " + string(why)})
	ctx, cancel := context.WithTimeout(ctx, closing)
	defer cancel()
	select {
	case <-s.done:
		if s.stays {
			s.forget()
		}
		return s.remarks
	case <-ctx.Done():
		return []string{s.grant.Authenticator.Name + " is not left yet: it does not answer"}
	}
}

// forget forgets what the lease left for good, once that is told: there is
// nobody any more to undo it.
func (s *station) forget() {
	ctx, cancel := context.WithTimeout(context.Background(), recordTime)
	defer cancel()
	if err := s.c.store.DeleteTraces(ctx, s.grant.Lease); err != nil {
		s.c.config.Log.WithField("lease", s.grant.Lease).WithError(err).Warn("the traces of a lease that is over stay")
	}
}

// run carries out ceremonies until the lease ends.
func (s *station) run() {
	defer close(s.done)
	s.timer = time.NewTimer(lasting)
	defer s.timer.Stop()
	for s.ctx.Err() == nil {
		select {
		case a := <-s.acts:
			s.perform(a)
		case <-s.timer.C:
			s.deleteEarly()
		case <-s.ctx.Done():
		}
	}
	if s.shut() {
		s.perform(<-s.acts)
	}
	s.leave()
}

// shut keeps further ceremonies away, and says whether one is on its way.
func (s *station) shut() (coming bool) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.closing = true
	return s.busy != nil
}

// free lets the next ceremony begin after one; nil is one that did not come to
// be.
func (s *station) free(a *act) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	s.busy = nil
	if a != nil {
		s.last = a.done
	}
}

// leave leaves the authenticator as it was found.
func (s *station) leave() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(s.ctx), leaving)
	defer cancel()
	leave := s.leaveKey
	if s.grant.Authenticator.Kind == contract.Smartcard {
		leave = func(ctx context.Context) ([]string, error) {
			traces, err := s.c.store.Traces(ctx, s.grant.Lease)
			if err != nil {
				return nil, err
			}
			remarks, err := s.c.leaveCard(ctx, s.grant, traces)
			if err == nil && len(traces) > 0 {
				err = s.c.store.DeleteTraces(ctx, s.grant.Lease)
			}
			return remarks, err
		}
	}
	remarks, err := leave(ctx)
	if err != nil {
		e := codeOr(err, failure.Internal, "")
		text := s.grant.Authenticator.Name + " could not be left as it was found"
		if entry, ok := failure.Lookup(e.Code); ok {
			text += ": " + entry.Title
		}
		remarks = append(remarks, text)
		s.c.config.Log.WithField("lease", s.grant.Lease).WithError(err).Warn("an authenticator is not left as it was found")
	}
	s.remarks = slices.Concat(s.early, remarks)
	s.release()
	if s.used {
		if err := s.c.config.Hardware.Reread(s.grant.Authenticator.ID); err != nil {
			s.c.config.Log.WithField("authenticator", s.grant.Authenticator.ID).WithError(err).Debug("no fresh read after the lease")
		}
	}
	s.c.mu.Lock()
	delete(s.c.stations, s.grant.Lease)
	s.c.mu.Unlock()
}
