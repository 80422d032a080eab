package inventory

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"

	"github.com/sirupsen/logrus"
)

// ErrNotFound says that no source has an authenticator or reader with that id.
var ErrNotFound = errors.New("no such authenticator or reader")

// Config is what an inventory needs.
type Config struct {
	Sources []Source
	// Journal keeps the events; nil keeps them in memory only.
	Journal Journal
	// Judge makes the checks; nil makes none.
	Judge Judge
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Version is the daemon's, OS a GOOS value.
	Version string
	OS      string
	// Log gets one line per event, and what went wrong in here; nil is none.
	Log logrus.FieldLogger
}

// Inventory is what the daemon knows. All its methods but Run may be called
// concurrently, before, during and after Run.
type Inventory struct {
	config Config
	epoch  uint64
	inbox  chan observed
	mail   *mailbox
	stream *stream
	output *publisher
	owner  *owner // Run's alone

	current atomic.Pointer[View]
	mu      sync.Mutex    // guards what follows
	changed chan struct{} // closed and replaced with each new view

	claims map[string]bool // guarded by mu

	running      atomic.Bool
	ended        chan struct{} // closed when Run has taken all that was observed
	restarts     atomic.Uint64
	observations atomic.Uint64
}

// observed is an observation on its way to the owner.
type observed struct {
	source int // index in Config.Sources
	Observation
}

// New makes an inventory in which nothing was observed yet, in a new epoch of
// the journal.
func New(ctx context.Context, config Config) (*Inventory, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Judge == nil {
		config.Judge = func(health.Facts, time.Time) health.Report { return health.Report{} }
	}
	epoch := uint64(max(config.Now().UnixMilli(), 1))
	if config.Journal != nil {
		var err error
		if epoch, err = config.Journal.BeginEpoch(ctx); err != nil {
			return nil, fmt.Errorf("begin an epoch: %w", err)
		}
	}
	i := &Inventory{
		config:  config,
		epoch:   epoch,
		inbox:   make(chan observed, 16),
		stream:  newStream(streamKeeps),
		changed: make(chan struct{}),
		mail:    newMailbox(),
		ended:   make(chan struct{}),
		claims:  make(map[string]bool),
	}
	i.output = newPublisher(config.Journal, i.stream, config.Log)
	i.owner = newOwner(i)
	i.current.Store(i.owner.view)
	return i, nil
}

// Run observes until ctx ends; it returns once every source has ended and all
// that was observed is in the journal. It is called once.
func (i *Inventory) Run(ctx context.Context) error {
	i.running.Store(true)
	var published sync.WaitGroup
	published.Go(i.output.run)
	defer published.Wait()
	defer i.output.end()

	var sources sync.WaitGroup
	for n := range i.config.Sources {
		sources.Go(func() { i.supervise(ctx, n) })
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		<-ctx.Done()
		sources.Wait()
	}()
	i.owner.run(done)
	close(i.ended)
	return nil
}

// View is the newest snapshot with what belongs to it.
func (i *Inventory) View() *View { return i.current.Load() }

// Snapshot is the newest snapshot, personal data included. It must not be
// changed.
func (i *Inventory) Snapshot() *contract.Snapshot { return i.View().Snapshot() }

// Encoded is the newest snapshot as JSON; see [View.Encoded].
func (i *Inventory) Encoded(identity bool) []byte { return i.View().Encoded(identity) }

// Certificates are those of a card; see [View.Certificates].
func (i *Inventory) Certificates(id string, identity bool) ([]contract.Certificate, bool) {
	return i.View().Certificates(id, identity)
}

// Await waits for a snapshot that is as wanted, the present one included. It
// fails with the context's error.
func (i *Inventory) Await(ctx context.Context, wanted func(*contract.Snapshot) bool) (*contract.Snapshot, error) {
	for {
		changed := i.Changed()
		if snapshot := i.Snapshot(); wanted(snapshot) {
			return snapshot, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Changed is closed at the next new snapshot.
func (i *Inventory) Changed() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

// Reread asks for a fresh read of the authenticator or reader with that id and
// returns at once. A claimed one is read once it is released.
func (i *Inventory) Reread(id string) error {
	for _, source := range i.config.Sources {
		if r, ok := source.(Rereader); ok && r.Reread(id) {
			return nil
		}
	}
	if i.claimed(id) {
		return nil // one that comes back is read then
	}
	return fmt.Errorf("%w: %q", ErrNotFound, id)
}

// Stats are counts since the start.
type Stats struct {
	Observations    uint64
	Events          uint64
	SourceRestarts  uint64
	JournalFailures uint64
}

// Stats counts what went through.
func (i *Inventory) Stats() Stats {
	return Stats{
		Observations:    i.observations.Load(),
		Events:          i.View().id.Seq,
		SourceRestarts:  i.restarts.Load(),
		JournalFailures: i.output.failures.Load(),
	}
}

func (i *Inventory) show(view *View) {
	i.current.Store(view)
	i.mu.Lock()
	defer i.mu.Unlock()
	close(i.changed)
	i.changed = make(chan struct{})
}
