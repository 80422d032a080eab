package platform

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/kardianos/service"
)

// ServiceName is that of the daemon where services are managed: a systemd unit,
// a launchd label, a Windows service.
const ServiceName = "authbridge"

const serviceDescription = "authbridge: smartcards and security keys for login tests"

// What the units of the packages run (installer/build).
const packagedProgram = "/usr/bin/authbridge"

var packagedArgs = map[bool][]string{false: {"run"}, true: {"run", "--system"}} // by whether it is the system's

// What stands in the way of managing the service.
var (
	// ErrNoServices: nothing here manages services, as in most containers.
	ErrNoServices = errors.New("no manager of services runs here")
	// ErrNoSession: the user's own manager of services does not answer.
	ErrNoSession = errors.New("the manager of your own services does not answer")
	// ErrNotInstalled: the daemon is no service.
	ErrNotInstalled = errors.New("the service is not installed")
	// ErrFromPackage: it is not the user's to take away.
	ErrFromPackage = errors.New("the service came with a package")
	// ErrNotPermitted: the manager wants an administrator.
	ErrNotPermitted = errors.New("the manager of services wants an administrator")
	// ErrProgramPlace: others than root could change what the system service runs,
	// or it could not run it.
	ErrProgramPlace = errors.New("the program does not lie where the system service could run it, and nobody but an administrator change it")
	// ErrNoServiceUser: the system service's user or group is not there and cannot be
	// made.
	ErrNoServiceUser = errors.New("the user or group of the system service cannot be made")
)

// ServiceState is what the manager says of the service. That it runs is not yet
// that it answers.
type ServiceState struct {
	Installed bool
	// Enabled is whether it starts by itself.
	Enabled bool
	Running bool
	// Detail is the manager's own word, such as auto-restart; it may be empty.
	Detail string
	// Why it ended, in the daemon's own line, where it does not run and the manager
	// knows.
	Why string
	// Unit is the file that describes it; empty where there is none, or none is
	// known.
	Unit string
	// FromPackage is whether it is there for all people of the machine.
	FromPackage bool
	// Restarts counts those since it was started by hand.
	Restarts int
}

// Service is the daemon as a service of the operating system: the user's own, on
// Linux and macOS, since the person at the seat has card, key, keyring and browser;
// or the machine's.
type Service struct {
	program string
	args    []string
	system  bool
	manager service.Service
}

//go:embed units/user.service
var userUnit string

//go:embed units/system.service
var systemUnit string

//go:embed units/agent.plist
var agentPlist string

// NewService is the user's own service, which runs a program with some arguments:
// absolute paths, since it starts elsewhere.
func NewService(program string, args ...string) (*Service, error) {
	return newService(false, program, args)
}

// NewSystemService is that of the machine.
func NewSystemService(program string, args ...string) (*Service, error) {
	return newService(true, program, args)
}

func newService(system bool, program string, args []string) (*Service, error) {
	unit, logs := userUnit, filepath.Join(homeDir(), "Library", "Logs")
	if system {
		unit, logs = systemUnit, "/var/log"
	}
	config := &service.Config{
		Name: ServiceName, DisplayName: ServiceName, Description: serviceDescription,
		Executable: program, Arguments: args,
		Option: service.KeyValue{
			"UserService": !system, "SystemdScript": unit, "LaunchdConfig": agentPlist,
			"LogDirectory": logs, // of launchd
		},
	}
	manager, err := service.New(noProgram{}, config)
	switch {
	case errors.Is(err, service.ErrNoServiceSystemDetected), err == nil && !managed(manager.Platform()):
		return nil, ErrNoServices
	case err != nil:
		return nil, err
	}
	return &Service{program: program, args: args, system: system, manager: manager}, nil
}

// managed is whether a manager is one that this project knows. The library also
// knows older ones, which have no services of a user's own.
func managed(platform string) bool {
	switch platform {
	case "linux-systemd", "darwin-launchd", "windows-service":
		return true
	}
	return false
}

// noProgram: the library is asked to manage the service, and never to run it.
type noProgram struct{}

func (noProgram) Start(service.Service) error { return nil }
func (noProgram) Stop(service.Service) error  { return nil }

// State asks the manager.
func (s *Service) State(ctx context.Context) (ServiceState, error) { return s.state(ctx) }

// Install makes the program a service that starts with the session, or with the
// machine, in place of one that is there; before one that a package brought, unless
// that is the same. It does not start it.
func (s *Service) Install(ctx context.Context) error {
	if err := s.permitted(); err != nil {
		return err
	}
	now, err := s.State(ctx)
	if err != nil {
		return err
	}
	if now.FromPackage && s.program == packagedProgram && slices.Equal(s.args, packagedArgs[s.system]) {
		return s.enable(ctx, true)
	}
	if s.system {
		if err := prepareSystem(ctx, s.program); err != nil {
			return err
		}
	}
	return s.explain(s.install(ctx, now))
}

// Uninstall stops the service and takes away what Install made; users and groups,
// which may have files, stay.
func (s *Service) Uninstall(ctx context.Context) error {
	now, err := s.installed(ctx)
	if err != nil {
		return err
	}
	if now.FromPackage && !s.system {
		return ErrFromPackage
	}
	if now.Running {
		if err := s.stop(ctx); err != nil {
			return s.explain(err)
		}
	}
	if now.FromPackage {
		return s.enable(ctx, false) // as the package had left it
	}
	return s.explain(s.remove(ctx))
}

// permitted is whether this process may manage the service, which only the
// system's is somebody's business for.
func (s *Service) permitted() error {
	if s.system && !mayManageSystem() {
		return ErrNotPermitted
	}
	return nil
}

// Start returns once the manager has started it, which on Linux and Windows is
// once it listens.
func (s *Service) Start(ctx context.Context) error {
	if _, err := s.installed(ctx); err != nil {
		return err
	}
	return s.explain(s.start(ctx))
}

// Stop returns once it has ended.
func (s *Service) Stop(ctx context.Context) error {
	if _, err := s.installed(ctx); err != nil {
		return err
	}
	return s.explain(s.stop(ctx))
}

// Restart is Stop, if it runs, and Start.
func (s *Service) Restart(ctx context.Context) error {
	if _, err := s.installed(ctx); err != nil {
		return err
	}
	return s.explain(s.restart(ctx))
}

func (s *Service) installed(ctx context.Context) (ServiceState, error) {
	if err := s.permitted(); err != nil {
		return ServiceState{}, err
	}
	now, err := s.State(ctx)
	if err == nil && !now.Installed {
		err = ErrNotInstalled
	}
	return now, err
}

func (s *Service) explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, service.ErrNotInstalled):
		return ErrNotInstalled
	case denied(err):
		return fmt.Errorf("%w: %w", ErrNotPermitted, err)
	}
	return err
}
