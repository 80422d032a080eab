package inventory

import (
	"context"
	"encoding/hex"
	"errors"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/pcsc"
)

// slot is one reader and what is in it. It belongs to the goroutine of the
// source; it does no I/O.
type slot struct {
	id        string
	source    string
	origin    contract.Origin
	asks      bool      // where the reader comes from is to be asked, at asksAt
	asksAt    time.Time // zero: now
	asked     int       // in vain, in a row
	unasked   bool      // the last time in vain
	service   pcsc.Reader
	condition contract.Condition
	code      failure.Code
	detail    string
	changedAt time.Time

	// card is what was found out of the card that is in it: nil until a probe
	// said something.
	card       *health.Card
	insertedAt time.Time

	probe   *probe    // under way
	wanted  bool      // a probe is due at due
	due     time.Time // see wanted
	failed  int       // probes in a row
	triedAt time.Time // the end of the last
	stalled error     // why the service did not let the probe begin

	wish     uint64 // the last for a read
	serving  uint64 // that of the probe under way
	answered uint64 // that of which the outcome is known
}

// probe is one task, in a goroutine of its own.
type probe struct {
	task   task
	slot   *slot
	reader string
	cancel context.CancelFunc
	// touching is open while it uses the reader, rather than wait for its turn;
	// else nil. Cards.mu guards it.
	touching chan struct{}
}

// How often a card that gave no sensible answer is read again by itself: a
// card may be starting up, or was reset by another program in mid-reading. A
// card that was read never is.
const (
	probeTries      = 3
	probeFirstPause = time.Second // then four times as long, each time
	// probeGap leaves room for other programs between probes that are asked
	// for all the time.
	probeGap = 250 * time.Millisecond
)

// task is what a slot is asked by a goroutine of its own.
type task string

const (
	askOrigin task = "origin" // where the reader comes from
	readsCard task = "card"
)

// next is what is to be asked next, and when; none while something is.
func (s *slot) next() (due time.Time, what task) {
	switch {
	case s.probe != nil:
		return time.Time{}, ""
	case s.asks && (!s.wanted || !s.asksAt.After(s.due)):
		return s.asksAt, askOrigin
	case s.wanted:
		return s.due, readsCard
	}
	return time.Time{}, ""
}

func (s *slot) begin(p *probe) {
	s.probe = p
	if p.task == askOrigin {
		s.asks = false
	} else {
		s.wanted, s.serving = false, s.wish
	}
}

// putOff has the probe begin anew once the card is no longer claimed. What it
// waited for, if it did, is over.
func (s *slot) putOff(at time.Time) {
	s.probe, s.wanted, s.due, s.stalled = nil, true, at, nil
	if s.condition != contract.InUse {
		return
	}
	s.changedAt = at
	if s.set(contract.Present, "", ""); s.card != nil && !s.card.ReadAt.IsZero() {
		s.set(contract.Ready, "", "")
	}
	s.note()
}

// comesFrom takes where the reader comes from, or that it could not be asked.
func (s *slot) comesFrom(origin contract.Origin, err error, at time.Time) {
	s.probe, s.origin = nil, origin
	if s.unasked = err != nil; s.unasked && s.asked < probeTries {
		s.asks, s.asksAt = true, at.Add(probeFirstPause<<(2*s.asked))
		s.asked++
	}
	if s.card != nil {
		s.card = s.describe(new(*s.card))
	}
}

// inserted takes a new card, to be read in a while, which answers all wishes
// there were.
func (s *slot) inserted(r pcsc.Reader, wishes uint64, at time.Time, delay time.Duration) {
	s.emptied(r, at)
	s.insertedAt, s.wish = at, wishes
	if s.unasked { // with another card it may answer
		s.asks, s.asksAt, s.asked = true, time.Time{}, 0
	}
	if s.set(contract.Present, "", ""); r.Condition == pcsc.Mute {
		s.set(contract.Mute, failure.CardMute, "SCARD_STATE_MUTE")
		s.card, s.answered = s.unread(), s.wish
		return
	}
	s.wanted, s.due = true, at.Add(delay)
}

// emptied forgets the card that was in it.
func (s *slot) emptied(r pcsc.Reader, at time.Time) {
	s.stop()
	s.service, s.card, s.failed, s.changedAt = r, nil, 0, at
	s.insertedAt = time.Time{}
	switch r.Condition {
	case pcsc.Unavailable:
		s.set(contract.Unavailable, failure.ReaderDriver, "SCARD_STATE_UNAVAILABLE")
	default:
		s.set(contract.Empty, "", "")
	}
}

// changed takes another condition of the reader with the card that is in it,
// or none.
func (s *slot) changed(r pcsc.Reader, at time.Time) {
	switch {
	case !r.HasCard():
		s.emptied(r, at)
	case r.Condition == pcsc.Mute && s.condition != contract.Hung:
		s.stop()
		s.service, s.changedAt, s.answered = r, at, s.wish
		s.set(contract.Mute, failure.CardMute, "SCARD_STATE_MUTE")
		s.note()
	default:
		// That some program, we for instance, is connected to a card is no
		// news: what matters is found out when it is to be read.
		s.service = r
	}
}

// stop ends the reading of the card and forgets one that is due.
func (s *slot) stop() {
	if s.probe != nil && s.probe.task == readsCard {
		s.probe.cancel()
		s.probe = nil
	}
	s.wanted, s.stalled = false, nil
}

// reread asks for another probe of the card. A hung card is not touched again:
// then the wish is answered already.
func (s *slot) reread(wish uint64, at time.Time) (answered bool) {
	s.wish = max(wish, s.wish)
	if s.condition == contract.Hung {
		s.answered = s.wish
		return true
	}
	// A probe that began before it was asked for is not a fresh one, so one
	// follows it.
	s.failed, s.wanted, s.due = 0, true, at
	s.leaveRoom()
	return false
}

// leaveRoom has a probe that is wanted leave room after the last.
func (s *slot) leaveRoom() {
	if room := s.triedAt.Add(probeGap); s.due.Before(room) {
		s.due = room
	}
}

// waits takes what the probe waits for: another program that has the card, an
// old call that has not returned, or the service, which is no matter of the card.
func (s *slot) waits(why error, at time.Time) {
	s.stalled = nil
	switch {
	case serviceHangs(why):
		s.stalled = why
		return
	case errors.Is(why, errOldCallHangs):
		s.set(contract.Hung, failure.CardHung, why.Error())
	default:
		s.set(contract.InUse, failure.CardInUse, "SCARD_STATE_INUSE")
	}
	s.changedAt = at
	s.note()
}

// done takes the outcome of the probe.
func (s *slot) done(reading *health.Card, err error, at time.Time) {
	s.probe, s.changedAt, s.triedAt, s.stalled = nil, at, at, nil
	s.leaveRoom() // it may have been asked for meanwhile
	if err == nil {
		s.failed, s.answered = 0, s.serving
		s.set(contract.Ready, "", "")
		s.card = s.complete(reading, at)
		return
	}
	o := outcomeOf(err)
	if o.retry && s.failed < probeTries {
		s.wanted, s.due = true, at.Add(probeFirstPause<<(2*s.failed))
		s.failed++
	}
	if o.condition == "" || o.gone && s.failed == 1 {
		return // the watch is about to say so
	}
	s.answered = s.serving
	s.set(o.condition, o.code, detailOf(err))
	s.note()
}

func (s *slot) set(c contract.Condition, code failure.Code, detail string) {
	s.condition, s.code, s.detail = c, code, detail
}

// note puts the slot's condition on the card; what was read before stays.
func (s *slot) note() {
	card := s.card
	if card == nil {
		card = s.unread()
	} else {
		card = new(*card)
	}
	card.Condition, card.Code, card.Detail, card.ObservedAt = s.condition, string(s.code), s.detail, s.changedAt
	s.card = card
}

// unread is a card of which nothing is known but where it is and its ATR.
func (s *slot) unread() *health.Card {
	card := &health.Card{ATR: s.service.ATR}
	card.PIN.State = "unknown"
	card.ID = opaqueID(cardID, s.source, s.service.Name, string(s.service.ATR))
	return s.describe(card)
}

// complete fills in what the probe does not know.
func (s *slot) complete(reading *health.Card, at time.Time) *health.Card {
	card := new(*reading)
	if len(card.ATR) == 0 {
		card.ATR = s.service.ATR
	}
	if card.ID == "" {
		card.ID = opaqueID(cardID, s.source, s.service.Name, string(card.ATR))
	}
	card.ReadAt = at
	return s.describe(card)
}

func (s *slot) describe(card *health.Card) *health.Card {
	card.Name = friendlyName("card", card.ID, s.origin)
	card.Kind, card.Origin, card.Source, card.Transport = contract.Smartcard, s.origin, s.source, "pcsc"
	card.Condition, card.Code, card.Detail = s.condition, string(s.code), s.detail
	card.Reader, card.InsertedAt, card.ObservedAt = s.id, s.insertedAt, s.changedAt
	return card
}

// reader is the slot as the contract says it.
func (s *slot) reader() contract.Reader {
	r := contract.Reader{
		ID: s.id, Name: s.service.Name, Source: s.source, Origin: s.origin, Condition: s.condition,
		ATR: strings.ToUpper(hex.EncodeToString(s.service.ATR)), Code: string(s.code), Detail: s.detail, ObservedAt: s.changedAt,
	}
	if s.card != nil {
		r.Card = s.card.ID
	}
	return r
}
