package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"authbridge/agent/contract"
)

var (
	// ErrEnded says that the inventory has stopped and the subscriber has seen all.
	ErrEnded = errors.New("the event stream has ended")
	// ErrEventID says that the id to resume from is none.
	ErrEventID = errors.New("bad event id")
)

// deliverAtMost bounds one delivery, so that a long replay is written in
// parts.
const deliverAtMost = 256

// Delivery is what a subscriber gets next: a snapshot, or events.
type Delivery struct {
	// View is the snapshot to start from: everything said before it is void,
	// and the events that follow come after it.
	View *View
	// Truncated: events were missed, the snapshot makes up for them.
	Truncated bool
	Events    []*Entry
}

// Subscription is one reader's place in the stream of events. It is used by
// one goroutine; it holds nothing that must be closed, and one that is not
// read costs nothing.
type Subscription struct {
	inventory *Inventory
	at        contract.EventID
	// view is delivered as soon as at has reached it.
	view      *View
	truncated bool
}

// Subscribe starts with a snapshot, or, if after is the id of an event or
// snapshot, right behind that. Nothing published is missed or told twice, over
// a restart of the daemon too; after such a resume a snapshot follows once the
// old events are told, since what changed while no daemon ran was no event.
// Where the journal no longer reaches back that far, the first delivery is
// Truncated.
func (i *Inventory) Subscribe(_ context.Context, after string) (*Subscription, error) {
	s := &Subscription{inventory: i}
	if after == "" {
		s.view = i.View()
		s.at = s.view.id
		return s, nil
	}
	id, err := contract.ParseEventID(after)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrEventID, err)
	}
	s.at = id
	view := i.View()
	if id.Compare(view.id) > 0 {
		s.resync() // not an id of ours: another daemon's, or a lost database's
	} else if id.Epoch < view.id.Epoch {
		s.view = view
	}
	return s, nil
}

// Next waits for the next delivery. It fails with the context's error, with
// ErrEnded, or with the journal's.
func (s *Subscription) Next(ctx context.Context) (Delivery, error) {
	for {
		if s.view != nil && s.at.Compare(s.view.id) >= 0 {
			return s.deliverView(), nil
		}
		r := s.inventory.stream.after(s.at, deliverAtMost)
		switch {
		case len(r.entries) > 0:
			return s.deliver(r.entries), nil
		case s.at.Epoch < s.inventory.epoch || r.behind:
			entries, err := s.replay(ctx)
			if err != nil {
				return Delivery{}, err
			}
			if len(entries) > 0 {
				return s.deliver(entries), nil
			}
			continue
		case r.closed:
			return Delivery{}, ErrEnded
		}
		select {
		case <-r.changed:
		case <-ctx.Done():
			return Delivery{}, ctx.Err()
		}
	}
}

// deliver takes the entries up to the place where a snapshot is due.
func (s *Subscription) deliver(entries []*Entry) Delivery {
	if s.view != nil {
		due := func(e *Entry) bool { return e.id.Compare(s.view.id) > 0 }
		if n := slices.IndexFunc(entries, due); n == 0 {
			return s.deliverView()
		} else if n > 0 {
			entries = entries[:n]
		}
	}
	s.at = entries[len(entries)-1].id
	return Delivery{Events: entries}
}

func (s *Subscription) deliverView() Delivery {
	d := Delivery{View: s.view, Truncated: s.truncated}
	s.at, s.view, s.truncated = s.view.id, nil, false
	return d
}

// replay reads on in the journal. Where it cannot, the subscriber is put at
// the newest snapshot.
func (s *Subscription) replay(ctx context.Context) ([]*Entry, error) {
	journal := s.inventory.config.Journal
	if journal == nil {
		s.resync()
		return nil, nil
	}
	events, complete, err := journal.EventsAfter(ctx, s.at, deliverAtMost)
	if err != nil {
		return nil, err
	}
	if !complete {
		s.resync()
		return nil, nil
	}
	if len(events) == 0 {
		if s.at.Epoch == s.inventory.epoch {
			s.resync() // the stream is ahead of a journal that has lost events
			return nil, nil
		}
		// All of the earlier epochs is told. The stream may have moved on
		// since, but only from the beginning of this epoch.
		s.at = contract.EventID{Epoch: s.inventory.epoch}
		return nil, nil
	}
	entries := make([]*Entry, 0, len(events))
	for _, e := range events {
		id, err := contract.ParseEventID(e.ID)
		if err != nil {
			return nil, err
		}
		entries = append(entries, newEntry(id, e, nil))
	}
	return entries, nil
}

// resync puts the subscriber at the newest snapshot.
func (s *Subscription) resync() {
	s.view = s.inventory.View()
	s.at, s.truncated = s.view.id, true
}
