package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
	"golang.org/x/sys/windows/svc/eventlog"
	"golang.org/x/sys/windows/svc/mgr"
)

// The library starts without waiting, cannot restart what is stopped, and waits
// for ever for one that does not stop: what is done with an installed service is
// done here.

const (
	// turnTime bounds how long a service may take from one state to the next.
	turnTime = startTime + stopTime
	// turnAgain is how often it is looked at meanwhile: the manager tells those only
	// who wait in an alertable thread, which Go has not.
	turnAgain = 50 * time.Millisecond
)

// opened opens the service with some rights, and no more: so everybody may ask.
func opened(rights uint32) (s *mgr.Service, done func(), err error) {
	name, err := windows.UTF16PtrFromString(ServiceName)
	if err != nil {
		return nil, nil, err
	}
	manager, err := windows.OpenSCManager(nil, nil, windows.SC_MANAGER_CONNECT)
	if err != nil {
		return nil, nil, err
	}
	handle, err := windows.OpenService(manager, name, rights)
	if err != nil {
		_ = windows.CloseServiceHandle(manager)
		return nil, nil, err
	}
	s = &mgr.Service{Name: ServiceName, Handle: handle}
	return s, func() {
		_ = s.Close()
		_ = windows.CloseServiceHandle(manager)
	}, nil
}

func (*Service) state(context.Context) (ServiceState, error) {
	s, done, err := opened(windows.SERVICE_QUERY_STATUS | windows.SERVICE_QUERY_CONFIG)
	switch {
	case errors.Is(err, windows.ERROR_SERVICE_DOES_NOT_EXIST):
		return ServiceState{}, nil
	case err != nil:
		return ServiceState{}, fmt.Errorf("%w: %w", ErrNoServices, err)
	}
	defer done()
	now, err := s.Query()
	if err != nil {
		return ServiceState{}, err
	}
	automatic, err := startsByItself(s)
	return ServiceState{Installed: true, Enabled: automatic, Running: now.State == svc.Running, Detail: stateWords(now)}, err
}

// startsByItself asks for no more than that: the package mgr asks for much that is
// nobody's business here, and that Wine has not.
func startsByItself(s *mgr.Service) (bool, error) {
	for size := uint32(1024); ; {
		buffer := make([]byte, size)
		config := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&buffer[0])) //nolint:gosec // the structure, and its strings behind it
		err := windows.QueryServiceConfig(s.Handle, config, size, &size)
		if err == nil {
			return config.StartType == windows.SERVICE_AUTO_START, nil
		}
		if !errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) || int(size) <= len(buffer) {
			return false, err
		}
	}
}

// stateWords are empty where it runs, and where it was stopped.
func stateWords(now svc.Status) string {
	switch {
	case now.State == svc.StartPending:
		return "it is starting"
	case now.State == svc.StopPending:
		return "it is stopping"
	case now.State != svc.Stopped || now.Win32ExitCode == uint32(windows.NO_ERROR) || now.Win32ExitCode == uint32(windows.ERROR_SERVICE_NEVER_STARTED):
		return ""
	case now.Win32ExitCode == uint32(windows.ERROR_SERVICE_SPECIFIC_ERROR):
		return "it ended by itself; the event log says why (Application, authbridge)"
	}
	return "it ended: " + windows.Errno(now.Win32ExitCode).Error()
}

// install makes the service, or has the one that is there run this program: what is
// taken away stays for as long as somebody looks at it, and with it goes what an
// administrator had changed.
func (s *Service) install(_ context.Context, now ServiceState) error {
	if !now.Installed {
		if err := s.manager.Install(); err != nil {
			return err
		}
	}
	installed, done, err := opened(windows.SERVICE_CHANGE_CONFIG | windows.SERVICE_START) // which starting it again wants
	if err != nil {
		return err
	}
	defer done()
	line, err := windows.UTF16PtrFromString(windows.ComposeCommandLine(append([]string{s.program}, s.args...)))
	if err != nil {
		return err
	}
	const same = windows.SERVICE_NO_CHANGE
	if err := windows.ChangeServiceConfig(installed.Handle, same, same, same, line, nil, nil, nil, nil, nil, nil); err != nil {
		return err
	}
	return recovers(installed)
}

// recovery is what the manager does with a daemon that ended by itself or was killed:
// at last every five minutes, by when somebody may have mended what was wrong. The
// MSI has the same (installer/windows/build).
var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: time.Second},
	{Type: mgr.ServiceRestart, Delay: 10 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 5 * time.Minute},
}

// recoveryReset is how long it must have run for its ends to be forgotten.
const recoveryReset = 10 * time.Minute

func recovers(s *mgr.Service) error {
	if err := s.SetRecoveryActions(recovery, uint32(recoveryReset.Seconds())); err != nil {
		return err
	}
	if err := s.SetRecoveryActionsOnNonCrashFailures(true); !errors.Is(err, windows.ERROR_INVALID_LEVEL) { // Wine's knows none
		return err
	}
	return nil
}

func (*Service) start(ctx context.Context) error {
	s, done, err := opened(windows.SERVICE_QUERY_STATUS | windows.SERVICE_START)
	if err != nil {
		return err
	}
	defer done()
	if err := turned(ctx, s, svc.Running, svc.Stopped); err != nil {
		return err
	}
	if err := s.Start(); err != nil && !errors.Is(err, windows.ERROR_SERVICE_ALREADY_RUNNING) {
		return err
	}
	return turned(ctx, s, svc.Running)
}

func (*Service) stop(ctx context.Context) error {
	s, done, err := opened(windows.SERVICE_QUERY_STATUS | windows.SERVICE_STOP)
	if err != nil {
		return err
	}
	defer done()
	if err := turned(ctx, s, svc.Running, svc.Stopped); err != nil {
		return err
	}
	if _, err := s.Control(svc.Stop); err != nil && !errors.Is(err, windows.ERROR_SERVICE_NOT_ACTIVE) {
		return err
	}
	return turned(ctx, s, svc.Stopped)
}

func (s *Service) restart(ctx context.Context) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	return s.start(ctx)
}

// turned waits until the service is as it was told to be. Before an order it is to
// be either running or stopped: while it turns it takes none.
func turned(ctx context.Context, s *mgr.Service, into ...svc.State) error {
	ctx, cancel := context.WithTimeout(ctx, turnTime)
	defer cancel()
	tick := time.NewTicker(turnAgain)
	defer tick.Stop()
	for {
		now, err := s.Query()
		switch {
		case err != nil:
			return err
		case slices.Contains(into, now.State):
			return nil
		case now.State == svc.Stopped:
			return errors.New(strings.TrimSpace("the service does not run: " + stateWords(now)))
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the service did not turn in time: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// remove takes it away, once it has ended: until then its name is taken.
func (s *Service) remove(ctx context.Context) error {
	if err := s.stop(ctx); err != nil {
		return err
	}
	installed, done, err := opened(windows.DELETE)
	if err != nil {
		return err
	}
	defer done()
	if err := installed.Delete(); err != nil {
		return err
	}
	if err := eventlog.Remove(ServiceName); err != nil && !errors.Is(err, fs.ErrNotExist) { // of one that was made by hand
		return err
	}
	return nil
}

// enable: no package here leaves its service disabled.
func (*Service) enable(context.Context, bool) error { return nil }

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
