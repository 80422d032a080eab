package ceremony

import (
	"context"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
)

// Config is what a conductor works with.
type Config struct {
	Hardware Hardware
	Store    Store
	Policy   Policy
	// ReadPIN reads a file of Policy.PINs: one line, without its end. It checks
	// that the file is the daemon's own and nobody else can read it.
	ReadPIN func(file string) ([]byte, error)
	// Tell takes events in their order. It must not block for long.
	Tell func(...contract.Event)
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Log is told what nobody waits for; nil: nowhere.
	Log logrus.FieldLogger
}

// Ceremonies that are over are kept for those who ask for them late.
const (
	keptCeremonies = 256
	keptFor        = 10 * time.Minute
)

// Conductor carries out ceremonies under leases. All methods may be called
// from any goroutine at any time.
type Conductor struct {
	config Config
	pins   *pins
	store  Store
	now    func() time.Time

	ctx    context.Context // of all that stations do; ended by Shutdown
	cancel context.CancelCauseFunc

	mu       sync.Mutex          // guards what follows
	over     bool                // Shutdown was called
	stations map[string]*station // by lease
	acts     map[string]*act     // by id
	order    []string            // ids in acts, the oldest first
}

var _ lease.Use = (*Conductor)(nil)

// New makes a conductor. Ceremonies that were under way when the last daemon
// ended are told to have failed.
func New(ctx context.Context, config Config) (*Conductor, error) {
	if config.Now == nil {
		config.Now = time.Now
	}
	if config.Log == nil {
		quiet := logrus.New()
		quiet.SetOutput(io.Discard)
		config.Log = quiet
	}
	p, err := newPINs(ctx, config.Store, config.Now, config.Tell)
	if err != nil {
		return nil, err
	}
	c := &Conductor{
		config: config, pins: p, store: config.Store, now: config.Now,
		stations: make(map[string]*station), acts: make(map[string]*act),
	}
	c.ctx, c.cancel = context.WithCancelCause(context.Background())
	if err := c.cutOff(ctx); err != nil {
		c.cancel(err)
		return nil, err
	}
	return c, nil
}

// cutOff ends what the last daemon left in the middle.
func (c *Conductor) cutOff(ctx context.Context) error {
	left, err := c.store.Ceremonies(ctx)
	if err != nil {
		return err
	}
	for _, ceremony := range left {
		if ceremony.State.Over() {
			continue
		}
		problem := (&failure.Error{
			Code: failure.CeremonyCutOff, Detail: ceremony.Name + ", " + string(ceremony.Type) + " for " + ceremony.Target,
		}).Problem()
		ended(&ceremony, contract.CeremonyFailed, c.now())
		ceremony.Problem = &problem
		if err := c.store.PutCeremony(ctx, ceremony); err != nil {
			return err
		}
		a := &act{c: c, id: ceremony.ID, owner: contract.Owner{Lease: ceremony.Lease}, done: make(chan struct{}), state: ceremony}
		close(a.done)
		c.keep(a)
		a.tell(ceremony)
	}
	return nil
}

// keep adds a ceremony to those that can be asked for, and forgets old ones.
func (c *Conductor) keep(a *act) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.acts[a.id] = a
	c.order = append(c.order, a.id)
	c.forget()
}

// forget drops what has been over for long enough. Who calls it holds c.mu.
func (c *Conductor) forget() {
	oldest := c.now().Add(-keptFor)
	surplus := len(c.order) - keptCeremonies
	c.order = slices.DeleteFunc(c.order, func(id string) bool {
		at, over := c.acts[id].endedAt()
		if !over || surplus <= 0 && at.After(oldest) {
			return false
		}
		surplus--
		delete(c.acts, id)
		return true
	})
}

// Ceremony finds a ceremony, and whose it is.
func (c *Conductor) Ceremony(id string) (contract.Ceremony, contract.Owner, bool) {
	a := c.find(id)
	if a == nil {
		return contract.Ceremony{}, contract.Owner{}, false
	}
	return a.snapshot(), a.owner, true
}

func (c *Conductor) find(id string) *act {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	return c.acts[id]
}

// Ceremonies are those under way and those that ended lately, the oldest
// first.
func (c *Conductor) Ceremonies() []contract.Ceremony {
	c.mu.Lock()
	c.forget()
	acts := make([]*act, 0, len(c.order))
	for _, id := range c.order {
		acts = append(acts, c.acts[id])
	}
	c.mu.Unlock()
	all := make([]contract.Ceremony, len(acts))
	for i, a := range acts {
		all[i] = a.snapshot()
	}
	return all
}

// Await waits until a ceremony is over.
func (c *Conductor) Await(ctx context.Context, id string) (contract.Ceremony, error) {
	a := c.find(id)
	if a == nil {
		return contract.Ceremony{}, unknownCeremony()
	}
	select {
	case <-a.done:
		return a.snapshot(), nil
	case <-ctx.Done():
		return a.snapshot(), ctx.Err()
	}
}

// Cancel ends a ceremony and returns once it is over, however it ended. One
// that is over stays as it is.
func (c *Conductor) Cancel(ctx context.Context, id string) (contract.Ceremony, error) {
	a := c.find(id)
	if a == nil {
		return contract.Ceremony{}, unknownCeremony()
	}
	if a.cancel != nil {
		a.cancel(&failure.Error{Code: failure.CeremonyCancelled, Detail: "on request"})
	}
	return c.Await(ctx, id)
}

func unknownCeremony() error {
	return &failure.Error{Code: failure.CeremonyUnknown, Field: "path.id", Detail: "no ceremony of that id is under way or ended lately"}
}

// Shutdown ends every ceremony and leaves every authenticator as it was found:
// what only this process can undo would stay undone over a restart. The leases
// themselves go on. It returns once all is over, or with ctx's error.
func (c *Conductor) Shutdown(ctx context.Context) error {
	c.mu.Lock()
	c.over = true
	stations := make([]*station, 0, len(c.stations))
	for _, s := range c.stations {
		stations = append(stations, s)
	}
	c.mu.Unlock()
	c.cancel(&failure.Error{Code: failure.CeremonyCancelled, Detail: "the daemon ends"})
	var late error
	for _, s := range stations {
		select {
		case <-s.done:
		case <-ctx.Done():
			late = ctx.Err()
		}
	}
	return late
}

// codeOr keeps an error that has a code, and gives any other one.
func codeOr(err error, code failure.Code, detail string) *failure.Error {
	var e *failure.Error
	if errors.As(err, &e) {
		return e
	}
	return &failure.Error{Code: code, Detail: detail, Err: err}
}
