package inventory

import (
	"context"
	"sync"
	"sync/atomic"

	"authbridge/agent/contract"

	"github.com/sirupsen/logrus"
)

// Journal keeps events over a restart.
type Journal interface {
	// BeginEpoch starts an epoch, greater than every one before.
	BeginEpoch(ctx context.Context) (uint64, error)
	// Append writes events; after nil they outlive a killed daemon.
	Append(events []contract.Event) error
	// EventsAfter reads up to limit events after id, in order; complete is
	// false if some after id are no longer known, or id never was.
	EventsAfter(ctx context.Context, id contract.EventID, limit int) (events []contract.Event, complete bool, err error)
	// LastEvents reads the newest events, at most so many, in order.
	LastEvents(ctx context.Context, most int) ([]contract.Event, error)
}

// Recent are the newest events of the journal, at most so many, in order, as
// everybody may see them.
func (i *Inventory) Recent(ctx context.Context, most int) ([]contract.Event, error) {
	if i.config.Journal == nil {
		return nil, nil
	}
	return i.config.Journal.LastEvents(ctx, most)
}

// backlogLimit is how many events may wait for a disk that stands still:
// beyond it clients must start from a snapshot, as if they had fallen behind.
const backlogLimit = 10_000

// publisher takes events from the owner, writes them to the journal, and only
// then shows them to subscribers.
//
// Writing comes first since a client resumes by the last id it saw: an event
// published and then lost with a killed daemon would have its successors
// counted from a journal that never knew it. It has a goroutine of its own
// since a commit, 31 µs here on average (store.BenchmarkAppend), may wait for
// a disk for seconds at a checkpoint, and snapshots must not; what comes in
// meanwhile is one commit (11 µs an event in batches of 100).
//
// If writing fails, events are published all the same: a stream that tells
// less after a restart is better than one that tells nothing now. The journal
// remembers the hole.
//
// The journal on disk gets events without personal data and without what is one
// owner's alone; live subscribers get what they may see.
type publisher struct {
	journal  Journal // nil: nothing is kept over a restart
	stream   *stream
	log      logrus.FieldLogger // nil: none
	failures atomic.Uint64
	// logins are the runs under way, as the log has told of them; note's own.
	logins map[string]contract.LoginState

	mu      sync.Mutex
	pending []*Entry
	ended   bool
	wake    chan struct{}
}

func newPublisher(journal Journal, stream *stream, log logrus.FieldLogger) *publisher {
	return &publisher{journal: journal, stream: stream, log: log, logins: make(map[string]contract.LoginState), wake: make(chan struct{}, 1)}
}

// add queues events. It never blocks.
func (p *publisher) add(entries []*Entry) {
	p.mu.Lock()
	if len(p.pending)+len(entries) > backlogLimit {
		p.pending = nil // the stream sees the hole by the sequence
	}
	p.pending = append(p.pending, entries...)
	p.mu.Unlock()
	p.signal()
}

// end lets run return once all that was added is published.
func (p *publisher) end() {
	p.mu.Lock()
	p.ended = true
	p.mu.Unlock()
	p.signal()
}

func (p *publisher) signal() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

func (p *publisher) run() {
	defer p.stream.close()
	for range p.wake {
		p.mu.Lock()
		batch, ended := p.pending, p.ended
		p.pending = nil
		p.mu.Unlock()
		p.publish(batch)
		if ended {
			return
		}
	}
}

func (p *publisher) publish(batch []*Entry) {
	if len(batch) == 0 {
		return
	}
	kept := make([]contract.Event, len(batch))
	for i, e := range batch {
		kept[i] = e.kept()
	}
	p.keep(kept)
	p.stream.append(batch)
	p.note(kept)
}

func (p *publisher) keep(events []contract.Event) {
	if p.journal == nil {
		return
	}
	if err := p.journal.Append(events); err != nil {
		p.failures.Add(1)
		if p.log != nil {
			p.log.WithError(err).Error("events could not be written to the journal")
		}
	}
}

// note writes one line per change to the log. It is done here since a log may
// be a pipe that nobody reads. What a login run does is its owner's matter: of a
// step the log would say again that the run goes on, and does not.
func (p *publisher) note(events []contract.Event) {
	if p.log == nil {
		return
	}
	for _, e := range events {
		if l := e.Login; l != nil {
			if p.logins[l.ID] == l.State {
				continue
			}
			if p.logins[l.ID] = l.State; l.State.Over() {
				delete(p.logins, l.ID)
			}
		}
		p.log.WithFields(logrus.Fields{"event": e.ID, "type": string(e.Type), "subject": e.Subject}).Info(e.Text)
	}
}
