// Package apitest starts the real API server, over the real inventory and the
// real store, in front of scripted devices: what a test wants to be there is
// said by Observe. It is for tests only and opens no device.
package apitest

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"authbridge/agent/api"
	"authbridge/agent/contract"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/store"
	"authbridge/agent/target"
)

// Options change what Start does.
type Options struct {
	// Dir is the state folder; empty is a new one.
	Dir string
	// Now is the store's clock.
	Now func() time.Time
	// VirtualOff starts a daemon without virtual authenticators and mock.
	VirtualOff bool
	// Users says who is at the socket; nil: the user 1000, with all rights.
	Users api.Users
	// Judge answers readiness; nil is Judge of this package.
	Judge func(contract.Question, *contract.Snapshot) contract.Verdict
	// Targets is a source that looks at targets; nil: none does, and no checks are
	// made.
	Targets *target.Source
	// Asked hears which targets are asked about where no source of Targets does.
	Asked func(target string)
	// Surroundings are what a support bundle tells besides; nil: nothing.
	Surroundings func() api.Surroundings
	// Connections bounds those by TCP; 0 is the API's own bound.
	Connections int
	// Log takes the log; nil drops it.
	Log io.Writer
}

// asked is a look-out that only hears.
type asked func(target string)

func (a asked) Ask(target string) { a(target) }

// Server is a running daemon's API.
type Server struct {
	Dir         string
	URL         string // http://127.0.0.1:PORT
	Socket      string
	Secret      string // of a token with all rights
	API         *api.Server
	Inventory   *inventory.Inventory
	Store       *store.Store
	Devices     *Devices        // the scripted virtual devices
	Leases      *Leases         // the scripted leases
	Ceremonies  *Ceremonies     // and ceremonies
	Logins      *Logins         // and login runs
	Mock        *Mock           // the scripted mock of CIS2
	Parties     *RelyingParties // and checks of applications
	Workstation *Workstation
	Source      *Source

	stop func() error
}

// Start runs a server until the test ends.
func Start(t testing.TB, options Options) *Server {
	t.Helper()
	if options.Dir == "" {
		dir, err := os.MkdirTemp("", "ab") // short: a socket's path has 108 bytes
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		options.Dir = dir
	}
	if options.Users == nil {
		options.Users = NewUsers("1000", map[string][]contract.Right{"": contract.Rights, "1000": contract.Rights})
	}
	if options.Judge == nil {
		options.Judge = Judge
	}
	if options.Log == nil {
		options.Log = io.Discard
	}
	s := &Server{Dir: options.Dir, Socket: filepath.Join(options.Dir, "sock"), Devices: &Devices{}, Source: newSource()}
	s.start(t, options)
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func (s *Server) start(t testing.TB, options Options) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	must := func(err error) {
		t.Helper()
		if err != nil {
			cancel()
			t.Fatal(err)
		}
	}
	var err error
	s.Store, err = store.Open(ctx, store.Options{Dir: options.Dir, Now: options.Now})
	must(err)
	logger := logrus.New()
	logger.SetOutput(options.Log)
	logger.SetLevel(logrus.DebugLevel)
	known := inventory.Config{Sources: []inventory.Source{s.Source}, Journal: s.Store, Version: "test", OS: "linux"}
	if options.Targets != nil {
		known.Sources, known.Judge = append(known.Sources, options.Targets), health.Judge
	}
	s.Inventory, err = inventory.New(ctx, known)
	must(err)
	s.Leases = newLeases()
	s.Ceremonies = &Ceremonies{leases: s.Leases, tell: s.Inventory.Tell, cleared: make(map[string]bool)}
	s.Logins = &Logins{tell: s.Inventory.Tell}
	s.Mock = &Mock{}
	s.Parties = &RelyingParties{}
	s.Workstation = &Workstation{}
	config := api.Config{
		Leases: s.Leases, Ceremonies: s.Ceremonies, Logins: s.Logins, RelyingParties: s.Parties, Workstation: s.Workstation,
		Inventory: s.Inventory, Judge: options.Judge, Tokens: s.Store, Users: options.Users,
		Connections: options.Connections, Version: "test", Log: logrus.NewEntry(logger),
	}
	if options.Targets != nil {
		config.Lookout = options.Targets
	} else if options.Asked != nil {
		config.Lookout = asked(options.Asked)
	}
	if options.Surroundings != nil {
		config.Surroundings = func(context.Context) api.Surroundings { return options.Surroundings() }
	}
	if !options.VirtualOff {
		config.Virtual, config.Mock = s.Devices, s.Mock
	}
	s.API, err = api.New(config)
	must(err)
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	local, err := net.Listen("unix", s.Socket)
	must(err)
	s.URL = "http://" + tcp.Addr().String()
	s.Secret = s.Token(t, contract.Rights...)

	var running sync.WaitGroup
	var served, observed error
	running.Go(func() { served = s.API.Serve(ctx, tcp, local) })
	running.Go(func() { observed = s.Inventory.Run(ctx) })
	s.stop = sync.OnceValue(func() error {
		cancel()
		running.Wait()
		for _, err := range []error{served, observed, s.Store.Close()} {
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// Stop ends the server and waits until nothing of it runs.
func (s *Server) Stop() error { return s.stop() }

// Token makes a token with these rights and gives its secret.
func (s *Server) Token(t testing.TB, rights ...contract.Right) string {
	t.Helper()
	return s.NamedToken(t, "test-"+time.Now().Format("150405.000000000"), time.Hour, rights...).Secret
}

// NamedToken makes a token.
func (s *Server) NamedToken(t testing.TB, name string, ttl time.Duration, rights ...contract.Right) contract.NewToken {
	t.Helper()
	token, err := s.Store.CreateToken(context.Background(), "", name, rights, ttl)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Observe makes the scripted source see this, and returns once the inventory
// has it.
func (s *Server) Observe(t testing.TB, o inventory.Observation) {
	t.Helper()
	s.Source.seen++
	at := s.Source.began.Add(s.Source.seen) // each observation has a time of its own
	o.Source = contract.Source{Name: SourceName, State: "up", ObservedAt: at}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	select {
	case s.Source.script <- o:
	case <-ctx.Done():
		t.Fatal("the source does not run")
	}
	_, err := s.Inventory.Await(ctx, func(snapshot *contract.Snapshot) bool {
		return slices.ContainsFunc(snapshot.Sources, func(source contract.Source) bool {
			return source.Name == SourceName && source.ObservedAt.Equal(at)
		})
	})
	if err != nil {
		t.Fatal("the observation did not arrive")
	}
}

// Judge answers ready if there is an authenticator as asked whose condition is
// ready; for real targets a virtual one does not count.
func Judge(q contract.Question, s *contract.Snapshot) contract.Verdict {
	v := contract.Verdict{
		Question: q, Outcome: contract.VerdictNotReady, Summary: "no authenticator is ready",
		SnapshotID: s.ID, ObservedAt: s.ObservedAt, Checks: []contract.Check{}, Candidates: []contract.Candidate{},
	}
	for _, a := range s.Authenticators {
		if q.Kind != "" && a.Kind != q.Kind || q.User != "" && a.User != q.User {
			continue
		}
		c := contract.Candidate{
			Authenticator: a.ID, Name: a.Name, Kind: a.Kind, Origin: a.Origin, Outcome: contract.VerdictNotReady,
			// A careless judge: the API must not let it tell whose card it is.
			Checks: []contract.Check{{Code: "CARD", State: contract.Pass, Evidence: "the card of " + a.Holder + ", " + a.User}},
		}
		if a.Condition == contract.Ready && (q.Target == "mock" || a.Origin == contract.Physical) {
			c.Outcome, v.Outcome, v.Authenticator, v.Origin = contract.VerdictReady, contract.VerdictReady, a.ID, a.Origin
			v.Summary = a.Name + " is ready"
		}
		v.Candidates = append(v.Candidates, c)
	}
	return v
}
