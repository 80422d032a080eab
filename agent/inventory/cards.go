package inventory

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/pcsc"
)

// CardsConfig is what a source of smartcards needs.
type CardsConfig struct {
	// Name is the source's: pcsc, or virtual-pcsc.
	Name   string
	System pcsc.System
	// Connector opens the cards of System; nil makes one. It is shared with
	// whoever else opens them, so that all know which hang.
	Connector *pcsc.Connector
	// Virtual makes every reader virtual: the daemon's own virtual readers are
	// in a system of their own. Elsewhere each reader's transport decides, and
	// until it did a reader is virtual (rule 4).
	Virtual bool
	// ProbeDelay is how long a card lies in its reader before it is read.
	ProbeDelay time.Duration
	// Windows: a service that is stopped is one without readers, for Windows
	// starts it with the first.
	Windows bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Cards is the source of smartcards: it watches the readers of a system and
// reads each card once.
//
// A probe disturbs nobody (rule 3): one a card, after ProbeDelay, not while
// another program is connected to it, in one transaction, and never again by
// itself once it was read; none of a card that somebody has claimed, as a lease
// does. Each probe has a goroutine of its own, and one that fails to end, on a
// card that hangs, is the matter of package pcsc: it is left alone and delays no
// other reader.
type Cards struct {
	config CardsConfig
	// What is done with a reader and a card; a test has its own.
	read   func(ctx context.Context, reader string) (*health.Card, error)
	origin func(ctx context.Context, reader string) (pcsc.Origin, error)

	mu     sync.Mutex        // guards what follows
	known  []contract.Reader // as last published
	asked  map[string]uint64 // the last wish for a read, by the id of its reader
	wishes uint64            // so far
	claims map[string]int    // by the id of the card
	probes map[*probe]bool   // under way
	wake   chan struct{}     // holds a token when asked or claims changed
}

// NewCards makes a source of the cards of one system.
func NewCards(config CardsConfig) *Cards {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Connector == nil {
		config.Connector = pcsc.NewConnector(config.System, pcsc.ConnectorOptions{})
	}
	c := &Cards{
		config: config, origin: config.Connector.Origin, wake: make(chan struct{}, 1),
		asked: make(map[string]uint64), claims: make(map[string]int), probes: make(map[*probe]bool),
	}
	c.read = c.readCard
	return c
}

// Name is the source's name.
func (c *Cards) Name() string { return c.config.Name }

// Reread asks for a fresh read of a card, by its id or its reader's; see
// [Rereader]. A card that hangs is not touched again before it was taken out.
func (c *Cards) Reread(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.ask(func(r *contract.Reader) bool { return r.ID == id || holds(r, id) })
	return ok
}

// Ask asks for a fresh read of a card; see [Asker].
func (c *Cards) Ask(id string) (wish uint64, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ask(func(r *contract.Reader) bool { return holds(r, id) })
}

func (c *Cards) ask(of func(*contract.Reader) bool) (wish uint64, ok bool) {
	r := find(c.known, of)
	if r == nil || r.Condition == contract.Empty || r.Condition == contract.Unavailable {
		return 0, false
	}
	c.wishes++
	c.asked[r.ID] = c.wishes
	c.signal()
	return c.wishes, true
}

// Has is whether a card with that id is in a reader.
func (c *Cards) Has(id string) bool {
	_, ok := c.readerOf(id)
	return ok
}

// readerOf is the name of the reader that holds the card with that id.
func (c *Cards) readerOf(id string) (name string, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := find(c.known, func(r *contract.Reader) bool { return holds(r, id) })
	if r == nil {
		return "", false
	}
	return r.Name, true
}

func holds(r *contract.Reader, card string) bool { return r.Card == card && card != "" }

func (c *Cards) signal() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Run watches the readers; see [Source]. When it returns, no probe runs.
func (c *Cards) Run(ctx context.Context, publish func(Observation)) error {
	ctx, cancel := context.WithCancel(ctx)
	b := &board{Cards: c, publish: publish, reports: make(chan pcsc.Report), found: make(chan finding)}
	b.source = contract.Source{Name: c.config.Name, State: "starting", ObservedAt: c.config.Now()}
	defer func() {
		cancel()
		b.work.Wait()
		c.know(nil)
	}()
	ended := make(chan error, 1)
	b.work.Go(func() {
		ended <- pcsc.Watch(ctx, c.config.System, func(r pcsc.Report) {
			select {
			case b.reports <- r:
			case <-ctx.Done():
			}
		})
	})
	return b.run(ctx, ended)
}

// board is one call of Run; its goroutine owns the slots.
type board struct {
	*Cards
	publish func(Observation)
	work    sync.WaitGroup
	reports chan pcsc.Report
	found   chan finding
	source  contract.Source
	slots   []*slot
}

// finding is what a probe says: where its reader comes from, what it waits for,
// or its outcome.
type finding struct {
	probe   *probe
	origin  contract.Origin
	waiting error
	card    *health.Card
	err     error
}

func (b *board) run(ctx context.Context, ended <-chan error) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	silence := time.NewTimer(pcsc.DefaultDeadline)
	defer silence.Stop()
	for {
		timer.Stop() // idle is idle
		var due <-chan time.Time
		if at, any := b.nextDue(); any {
			timer.Reset(max(at.Sub(b.config.Now()), 0))
			due = timer.C
		}
		select {
		case <-ctx.Done():
			return nil
		case err := <-ended:
			return err
		case r := <-b.reports:
			silence.Stop()
			b.report(r)
		case <-silence.C:
			b.source.State, b.source.Code, b.source.ObservedAt = "down", string(failure.PCSCService), b.config.Now()
			b.source.Detail = "the smartcard service has not answered since the start"
			b.show(nil)
		case f := <-b.found:
			b.take(f)
		case <-b.wake:
			b.takeAsked()
		case <-due:
		}
		b.start(ctx)
	}
}

func (b *board) nextDue() (at time.Time, any bool) {
	for _, s := range b.slots {
		if due, what := s.next(); what != "" && (!any || due.Before(at)) && !b.claimed(s.id) {
			at, any = due, true
		}
	}
	return at, any
}

// start begins the probes that are due.
func (b *board) start(ctx context.Context) {
	now := b.config.Now()
	for _, s := range b.slots {
		due, what := s.next()
		if what == "" || now.Before(due) {
			continue
		}
		// Asking where a reader comes from is a connection to it, which must
		// not be taken for another program's: so it comes before, and alone.
		probeCtx, cancel := context.WithCancel(ctx)
		p := &probe{task: what, slot: s, reader: s.service.Name, cancel: cancel}
		if !b.begin(p) {
			cancel()
			continue
		}
		s.begin(p)
		b.work.Go(func() {
			defer b.over(p)
			defer cancel()
			tell := func(f finding) {
				f.probe = p
				select {
				case b.found <- f:
				case <-probeCtx.Done(): // the card went, or we stop: nobody waits for it
				}
			}
			if what == askOrigin {
				o, err := b.origin(probeCtx, p.reader)
				tell(finding{origin: originOf(o.Virtual), err: err})
				return
			}
			card, err := b.probe(probeCtx, p, func(why error) { tell(finding{waiting: why}) })
			tell(finding{card: card, err: err})
		})
	}
}

// take takes what a probe says. Of one that was cancelled nothing is taken.
func (b *board) take(f finding) {
	s, now := f.probe.slot, b.config.Now()
	switch {
	case s.probe != f.probe:
		return
	case f.origin != "":
		s.comesFrom(f.origin, f.err, now)
	case f.waiting != nil:
		s.waits(f.waiting, now)
	case errors.Is(f.err, errClaimed):
		s.putOff(now)
	default:
		s.done(f.card, f.err, now)
	}
	b.show(nil)
}

func (b *board) takeAsked() {
	b.mu.Lock()
	asked := b.asked
	b.asked = make(map[string]uint64)
	b.mu.Unlock()
	answered := false
	for _, s := range b.slots {
		if wish, ok := asked[s.id]; ok && s.service.HasCard() {
			answered = s.reread(wish, b.config.Now()) || answered
		}
	}
	if answered {
		b.show(nil)
	}
}

// report takes what the watch saw: the slots are as they are now, the events
// say how they came to be so.
func (b *board) report(r pcsc.Report) {
	now := b.config.Now()
	b.source = sourceOf(b.config, r.Snapshot.Service, now)
	var events []contract.Event
	for _, e := range r.Events {
		if event := b.event(e, now); event != nil {
			events = append(events, *event)
		}
	}
	b.show(events)
}

func (b *board) event(e pcsc.Event, now time.Time) *contract.Event {
	s := b.slot(e.Reader.Name)
	switch e.Type {
	case pcsc.ReaderAdded:
		if s == nil {
			s = &slot{
				id: opaqueID("reader-", b.config.Name, e.Reader.Name), source: b.config.Name,
				origin: contract.Virtual, asks: !b.config.Virtual,
			}
			b.slots = append(b.slots, s)
		}
		s.emptied(pcsc.Reader{Name: e.Reader.Name, Condition: withoutCard(e.Reader)}, now)
		return said(contract.ReaderAdded, s, now)
	case pcsc.ReaderRemoved:
		if s == nil {
			return nil
		}
		s.stop()
		if s.probe != nil {
			s.probe.cancel()
		}
		b.slots = slices.DeleteFunc(b.slots, func(o *slot) bool { return o == s })
		gone := said(contract.ReaderRemoved, s, now)
		gone.Text, gone.Reader = "reader "+s.service.Name+" removed", nil
		return gone
	case pcsc.CardInserted:
		if s != nil {
			s.inserted(e.Reader, b.wished(), now, b.config.ProbeDelay)
			return said(contract.CardInserted, s, now)
		}
	case pcsc.CardRemoved:
		if s != nil {
			s.emptied(e.Reader, now)
			return said(contract.CardRemoved, s, now)
		}
	case pcsc.ReaderChanged:
		if s != nil {
			s.changed(e.Reader, now) // the snapshots' difference tells
		}
	case pcsc.ServiceUp, pcsc.ServiceDown: // so it does here
	}
	return nil
}

func said(kind contract.EventType, s *slot, now time.Time) *contract.Event {
	r := s.reader()
	return &contract.Event{Type: kind, At: now, Subject: s.id, Reader: &r}
}

// withoutCard is the condition of a reader before the card in it is looked at.
func withoutCard(r pcsc.Reader) pcsc.Condition {
	if r.HasCard() {
		return pcsc.Empty
	}
	return r.Condition
}

func (b *board) slot(reader string) *slot {
	i := slices.IndexFunc(b.slots, func(s *slot) bool { return s.service.Name == reader })
	if i < 0 {
		return nil
	}
	return b.slots[i]
}

// show publishes all there is.
func (b *board) show(events []contract.Event) {
	answered := make(map[string]uint64)
	o := Observation{Source: b.source, Events: events, Answered: answered}
	ids := make(map[string]bool)
	for _, s := range b.slots {
		if s.stalled != nil && o.Source.State == "up" {
			// The watch is in a call that returns when something happens, and
			// cannot know that nothing would.
			o.Source.State, o.Source.Code, o.Source.Detail = "down", string(failure.PCSCService), s.stalled.Error()
		}
		if s.card != nil {
			// The same card can be in two readers, if it is virtual.
			if ids[s.card.ID] {
				card := new(*s.card)
				card.ID = opaqueID(cardID, s.card.ID, s.id)
				card.Name = friendlyName("card", card.ID, s.origin)
				s.card = card
			}
			ids[s.card.ID] = true
			o.Cards = append(o.Cards, *s.card)
			if s.answered > 0 {
				answered[s.card.ID] = s.answered
			}
		}
		o.Readers = append(o.Readers, s.reader())
	}
	b.know(o.Readers)
	b.publish(o)
}

// sourceOf says how the service is.
func sourceOf(config CardsConfig, service pcsc.Service, now time.Time) contract.Source {
	s := contract.Source{Name: config.Name, State: "up", ObservedAt: now}
	if service.Up {
		return s
	}
	stopped := errors.Is(service.Err, pcsc.SCARD_E_NO_SERVICE) || errors.Is(service.Err, pcsc.SCARD_E_SERVICE_STOPPED)
	if stopped && config.Windows {
		s.Detail = "the smartcard service starts with the first reader"
		return s
	}
	s.State, s.Code = "down", string(failure.PCSCService)
	if service.Err != nil {
		s.Detail = service.Err.Error()
	}
	switch {
	case errors.Is(service.Err, pcsc.ErrNotBuilt):
		s.Code = string(failure.PCSCUnavailable)
	case errors.Is(service.Err, pcsc.SCARD_W_SECURITY_VIOLATION), errors.Is(service.Err, pcsc.SCARD_E_NO_ACCESS):
		s.Code = string(failure.PCSCDenied)
	}
	return s
}
