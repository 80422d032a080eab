package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/sirupsen/logrus"
	"golang.org/x/sync/errgroup"

	"authbridge/agent/api"
	"authbridge/agent/assurance"
	"authbridge/agent/ceremony"
	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/lease"
	"authbridge/agent/store"
	"authbridge/agent/virtual"
	"authbridge/fido"
	"authbridge/fido/webauthn"
	"authbridge/pcsc"
	"authbridge/pcsc/trace"
	"authbridge/platform"
	"authbridge/platform/nhs"
)

// virtualFolder, of the state folder, has the virtual cards and their authority.
const virtualFolder = "virtual"

// serve is the daemon: it composes it, says where it listens once it does, and
// returns when ctx has ended and nothing of it runs any more.
func serve(ctx context.Context, s settings, log *logrus.Logger, listening func(address string)) (err error) {
	if err := platform.NoCoreDumps(); err != nil {
		log.WithError(err).Warn("core dumps could not be switched off")
	}
	saveMemory()
	var closers closers
	defer func() { err = errors.Join(err, closers.close()) }()

	folder, err := platform.LockFolder(s.StateDir)
	var held *platform.Held
	switch {
	case errors.As(err, &held):
		return &failure.Error{Code: failure.StateLocked, Detail: held.Error()}
	case err != nil:
		return &failure.Error{Code: failure.StateUnusable, Err: err}
	}
	closers.add(folder.Close)

	kept, err := store.Open(ctx, store.Options{Dir: s.StateDir})
	if err != nil {
		return err
	}
	closers.add(kept.Close)

	listeners, err := listen(s)
	if err != nil {
		return err
	}
	serving := false
	closers.add(func() error {
		if !serving { // else the server closes them itself
			closeAll(listeners)
		}
		return nil
	})

	mock, err := daemonMock(s, kept, log)
	if err != nil {
		return err
	}
	closers.add(func() error {
		switch {
		case mock == nil:
		case !serving:
			closeAll(mock.listeners)
		default:
			mock.reached.CloseIdleConnections()
		}
		return forgetMock(s.StateDir)
	})

	var inv *inventory.Inventory
	sources, unlock, err := hardware(s, log)
	if err != nil {
		return err
	}
	closers.add(unlock)
	var devices *virtual.Devices
	if s.virtualOn() {
		devices, err = virtual.New(ctx, virtual.Config{
			Dir: filepath.Join(s.StateDir, virtualFolder), Memory: kept, Log: log,
			Snapshot: func() *contract.Snapshot { return inv.Snapshot() },
			Reread:   func(id string) error { return inv.Reread(id) },
		})
		if err != nil {
			return err
		}
		closers.add(devices.Close)
		sources = append(sources,
			inventory.NewCards(inventory.CardsConfig{Name: "virtual-pcsc", System: devices.System(), Connector: connector(s, devices.System(), log), Virtual: true}),
			inventory.NewKeys(inventory.KeysConfig{Name: "virtual-fido", Bus: tracedBus(s, devices.Bus(), log), Virtual: true}))
	}
	logins, err := knownLogins(ctx, s, kept)
	if err != nil {
		return err
	}
	watch := s.watch()
	software := station(listeners[0].Addr().String())
	sources = append(sources, logins, watch, software)
	inv, err = inventory.New(ctx, inventory.Config{
		Sources: sources, Journal: kept, Judge: health.Steady(), Version: version, OS: runtime.GOOS, Log: log,
	})
	if err != nil {
		return err
	}

	known, forget, err := knownUsers(ctx, s)
	if err != nil {
		return err
	}
	closers.add(forget)
	conductor, err := ceremony.New(ctx, ceremony.Config{
		Hardware: inv, Store: kept, Policy: s.policy(), ReadPIN: platform.ReadSecret, Tell: inv.Tell, Log: log,
	})
	if err != nil {
		return err
	}
	issuers := s.issuers(mock)
	judge := func(q contract.Question, snap *contract.Snapshot) contract.Verdict {
		v := assurance.Judge(snap, q)
		v.Issuer = issuers[q.Target]
		return v
	}
	desk, err := lease.New(ctx, lease.Config{
		Inventory: inv, Use: conductor, Store: kept, Judge: judge, Show: inv.ShowLeases, Users: known, Targets: s.targets(), Log: log,
	})
	if err != nil {
		return err
	}
	runs, err := loginRuns(ctx, loginParts{desk, conductor, inv, judge, kept, devices, mock, s, lookAt(watch, inv), logins.Learn, log})
	if err != nil {
		return err
	}
	config := api.Config{
		Inventory: inv, Judge: judge, Tokens: kept, Leases: desk, Ceremonies: conductor, Logins: runs, RelyingParties: checker(s, mock),
		Lookout: lookouts{watch, software}, Workstation: software, Users: known, Targets: s.targets(), Surroundings: s.surroundings(recentOf(log)),
		Version: version, Log: logrus.NewEntry(log),
	}
	if devices != nil {
		config.Virtual = devices
	}
	if mock != nil {
		config.Mock = mock
	}
	server, err := api.New(config)
	if err != nil {
		return err
	}
	if err := known.token(ctx, kept, filepath.Join(s.StateDir, client.TokenFile), log); err != nil {
		return &failure.Error{Code: failure.StateUnusable, Detail: "its token", Err: err}
	}

	group, ctx := errgroup.WithContext(ctx)
	// What ends the leases is still told, and kept.
	observing, enough := context.WithCancel(context.WithoutCancel(ctx))
	defer enough()
	group.Go(func() error { return inv.Run(observing) })
	// Login runs end before the leases that they hold.
	lending, leave := context.WithCancel(observing)
	defer leave()
	group.Go(func() error {
		defer leave()
		<-ctx.Done()
		end, cancel := context.WithTimeout(observing, leavingRuns)
		defer cancel()
		return runs.Shutdown(end)
	})
	group.Go(func() error {
		defer enough()
		err := desk.Run(lending)
		end, cancel := context.WithTimeout(observing, leavingTime)
		defer cancel()
		return errors.Join(err, conductor.Shutdown(end))
	})
	serving = true
	group.Go(func() error { return server.Serve(ctx, listeners...) })
	if mock != nil {
		group.Go(func() error { return mock.run(ctx) })
		log.WithField("issuer", mock.Issuer).Info("the mock runs")
	}
	listening(listeners[0].Addr().String())
	log.WithFields(logrus.Fields{"version": version, "address": listeners[0].Addr().String(), "state": s.StateDir}).Info("started")
	return group.Wait()
}

// surroundings are what a support bundle tells of this daemon besides its state.
func (s settings) surroundings(recent *recentLog) func(context.Context) api.Surroundings {
	started := time.Now()
	return func(ctx context.Context) api.Surroundings {
		return api.Surroundings{
			Versions: versions(started), Configuration: s.shown(), Machine: platform.LookAround(ctx),
			Log: recent.newest(), Person: platform.PersonName(),
		}
	}
}

// leavingTime is what ceremonies have to end in when the daemon does.
const leavingTime = 3 * time.Second

// policy is what the configuration allows, in the words of the ceremonies.
func (s settings) policy() ceremony.Policy {
	p := ceremony.Policy{Parties: []webauthn.Party{webauthn.Party(localParty)}}
	for _, party := range s.RelyingParties {
		p.Parties = append(p.Parties, webauthn.Party(party))
	}
	for _, c := range s.Signing {
		p.Signing = append(p.Signing, ceremony.SigningCertificate{SHA256: strings.ToLower(c.Certificate), Target: c.Target})
	}
	for _, pin := range s.PINs {
		bound := ceremony.BoundPIN{Authenticator: pin.Authenticator, Target: pin.Target, Name: filepath.Base(pin.File), File: pin.File}
		if pin.Credential != "" {
			// Without the folder it is a relative path, and no file: said when it is used.
			bound.Name = pin.Credential
			bound.File, _ = platform.Credential(pin.Credential)
		}
		p.PINs = append(p.PINs, bound)
	}
	return p
}

// saveMemory collects garbage twice as often: 1 MB less at rest and 2 MB after
// many calls, at no latency that showed in the figures (docs/performance.md). The
// user's own GOGC wins.
func saveMemory() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(50)
	}
}

// closers are undone last first.
type closers []func() error

func (c *closers) add(f func() error) { *c = append(*c, f) }

func (c *closers) close() (err error) {
	for i := len(*c) - 1; i >= 0; i-- {
		err = errors.Join(err, (*c)[i]())
	}
	return err
}

// listen opens the TCP address first, then the socket or pipe of the state
// folder and, for the user's own daemon, the one in the usual place; for the
// system service the one for all.
func listen(s settings) ([]net.Listener, error) {
	tcp, err := net.Listen("tcp", s.Listen)
	if err != nil {
		return nil, cannotListen(s.Listen, err)
	}
	all := []net.Listener{tcp}
	open := map[string]func(string) (net.Listener, error){platform.SocketIn(s.StateDir): platform.Listen}
	switch {
	case s.System:
		open[platform.SocketIn(forAll(getenv))] = platform.ListenForAll
	case s.usual():
		open[platform.SocketIn(platform.UserPaths().Runtime)] = platform.Listen
	}
	for address, listen := range open {
		l, err := listen(address)
		if err != nil {
			closeAll(all)
			return nil, &failure.Error{Code: failure.StateUnusable, Err: err}
		}
		all = append(all, l)
	}
	return all, nil
}

// forAll is the folder of the system service's socket: the one that its manager
// made for it (systemd.exec(5), RuntimeDirectory), or the usual one.
func forAll(getenv func(string) string) string {
	if dir, _, _ := strings.Cut(getenv("RUNTIME_DIRECTORY"), ":"); filepath.IsAbs(dir) {
		return dir
	}
	return platform.SystemPaths().Runtime
}

func whoListens(address string) string {
	if l, found := listenerOn(platform.Inspect(), address); found {
		return fmt.Sprintf("%s listens on %s", programName(l.Process), l.Address)
	}
	return address
}

// hardware makes the sources of this machine's own readers and keys. They are
// off where the settings say so, or where another daemon has them.
func hardware(s settings, log *logrus.Logger) (sources []inventory.Source, unlock func() error, err error) {
	off := func(code failure.Code, detail string) []inventory.Source {
		return []inventory.Source{inventory.Off{Source: "pcsc", Code: code, Detail: detail}, inventory.Off{Source: "fido", Code: code, Detail: detail}}
	}
	nothing := func() error { return nil }
	if s.Physical == "off" {
		return off(failure.PhysicalOff, "switched off"), nothing, nil
	}
	lock, err := platform.LockPhysical()
	var held *platform.Held
	switch {
	case errors.As(err, &held):
		log.WithField("holder", held.PID).Warn("another daemon has the readers and keys of this machine")
		return off(failure.PhysicalLocked, held.Error()), nothing, nil
	case err != nil:
		return nil, nothing, fmt.Errorf("take the lock of the hardware: %w", err)
	}
	windows := runtime.GOOS == "windows"
	return []inventory.Source{
		inventory.NewCards(inventory.CardsConfig{
			Name: "pcsc", System: pcsc.Native(), Connector: connector(s, pcsc.Native(), log), ProbeDelay: probeDelay(s), Windows: windows,
		}),
		inventory.NewKeys(inventory.KeysConfig{Name: "fido", Bus: tracedBus(s, fido.Native(), log), Windows: windows}),
	}, lock.Close, nil
}

// connector opens the cards of a system. What goes to and from them is shown
// where the settings ask for it; the watch, which sends nothing, never is.
func connector(s settings, sys pcsc.System, log *logrus.Logger) *pcsc.Connector {
	if s.Trace.APDU {
		sys = trace.System(sys, func(e trace.Exchange) {
			log.WithFields(logrus.Fields{"reader": e.Reader, "command": e.Command, "answer": e.Answer, "took": e.Took.String(), "error": e.Err}).Debug("APDU")
		})
	}
	return pcsc.NewConnector(sys, pcsc.ConnectorOptions{})
}

// tracedBus shows what goes to and from keys, where the settings ask for it.
func tracedBus(s settings, bus fido.Bus, log *logrus.Logger) fido.Bus {
	if !s.Trace.CTAP {
		return bus
	}
	return fido.Traced(bus, func(node fido.Node, message string) {
		log.WithFields(logrus.Fields{"key": node.Product, "message": message}).Debug("CTAP")
	})
}

// nhsDelay is how long NHS card software may be at a fresh card (DESIGN rule
// 3; domain/cis2.md 7.1).
const nhsDelay = 3 * time.Second

func probeDelay(s settings) time.Duration {
	if s.ProbeDelay != "auto" {
		d, _ := time.ParseDuration(s.ProbeDelay) // validated
		return d
	}
	if nhs.Running() {
		return nhsDelay
	}
	return 0
}

// localParty is the one relying party of the embedded default: any page of this
// machine, at the mock, which may have TLS (DESIGN rule 9).
var localParty = RelyingParty{ID: "localhost", Origins: []string{"http://localhost:*", "https://localhost:*"}, Targets: []string{"mock"}}

// badParty says why a relying party cannot be on the list; empty if it can.
func badParty(p RelyingParty) string {
	err := webauthn.ValidateParty(webauthn.Party(p))
	var bad *webauthn.Error
	switch {
	case errors.As(err, &bad):
		return bad.Field + ": " + bad.Detail
	case err != nil:
		return err.Error()
	}
	return ""
}
