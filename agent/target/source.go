package target

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/health"
)

// Target is a sign-in service, or one of which only the name is known.
type Target struct {
	Name   string
	Issuer string // octet by octet; empty: there is nothing to look at
	HSCN   string // host:port in the NHS network; empty: none is looked at
	// Listed is whether a person put it into the configuration: that is interest
	// in it from the start.
	Listed bool
}

// Config is what a source needs.
type Config struct {
	Targets []Target
	// Transport carries HTTP; nil is one of our own, with TLS 1.2 at least and
	// the proxy that the environment names.
	Transport http.RoundTripper
	// Dial connects to a host in the NHS network; nil is the usual way.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Bound is for one look; 0 is 8 s.
	Bound time.Duration
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// usualBound leaves a login run that has no network the rest of its 10 s.
const usualBound = 8 * time.Second

// SourceName is the name of the source.
const SourceName = "targets"

// Source is an inventory.Source. Its methods but Run may be called concurrently,
// before, during and after Run.
type Source struct {
	config Config
	wake   chan struct{} // holds a token while there is news for Run

	mu sync.Mutex // guards what follows
	// asked is when somebody last showed interest in a target, by its name, as
	// exact as it matters.
	asked map[string]time.Time
	// ordered are looks that Run has not told yet.
	ordered map[string]*health.Look
}

// New makes a source. It looks at nothing before Run.
func New(config Config) *Source {
	if config.Transport == nil {
		config.Transport = ownTransport()
	}
	if config.Dial == nil {
		config.Dial = new(net.Dialer).DialContext
	}
	if config.Bound == 0 {
		config.Bound = usualBound
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	s := &Source{config: config, wake: make(chan struct{}, 1), asked: make(map[string]time.Time), ordered: make(map[string]*health.Look)}
	for _, t := range config.Targets {
		if t.Listed {
			s.asked[t.Name] = config.Now()
		}
	}
	return s
}

// Name is the source's name.
func (s *Source) Name() string { return SourceName }

// askedAgain is how exact the time of interest is: a program that asks in a loop
// wakes nobody.
const askedAgain = time.Minute

// Ask says that somebody is interested in a target, which is then looked at in
// the background if that is due. It returns at once. Of a name that is no target
// of the source nothing is kept.
func (s *Source) Ask(name string) {
	if s.find(name) == nil {
		return
	}
	now := s.config.Now()
	s.mu.Lock()
	was, known := s.asked[name]
	news := !known || now.Sub(was) >= askedAgain
	if news {
		s.asked[name] = now
	}
	s.mu.Unlock()
	if news {
		s.nudge()
	}
}

// Look looks at a target now and judges it, and has what it saw told. It takes no
// longer than the bound of a look. It returns nothing for a name that is no
// target of the source, nor where ctx ended meanwhile.
func (s *Source) Look(ctx context.Context, name string) []contract.Check {
	t := s.find(name)
	if t == nil || t.Issuer == "" {
		return nil
	}
	look := s.look(ctx, t)
	if ctx.Err() != nil {
		return nil
	}
	s.mu.Lock()
	s.asked[name], s.ordered[name] = look.At, look
	s.mu.Unlock()
	s.nudge()
	return health.JudgeTarget(t.seen(look), look.At)
}

func (s *Source) find(name string) *Target {
	for i := range s.config.Targets {
		if s.config.Targets[i].Name == name {
			return &s.config.Targets[i]
		}
	}
	return nil
}

// seen is a target with what was seen of it.
func (t *Target) seen(look *health.Look) health.Target {
	return health.Target{Name: t.Name, Issuer: t.Issuer, HSCN: t.HSCN, Look: look}
}

// nudge has Run look at what is new.
func (s *Source) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}
