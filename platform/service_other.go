//go:build !linux && !windows

package platform

import (
	"context"
	"errors"
	"io/fs"

	"github.com/kardianos/service"
)

// state is what the library can tell. launchd starts what is installed by itself.
func (s *Service) state(context.Context) (ServiceState, error) {
	status, err := s.manager.Status()
	switch {
	case errors.Is(err, service.ErrNotInstalled):
		return ServiceState{}, nil
	case err != nil:
		return ServiceState{}, s.explain(err)
	}
	return ServiceState{Installed: true, Enabled: true, Running: status == service.StatusRunning}, nil
}

// enable: no package brings a service here.
func (*Service) enable(context.Context, bool) error { return nil }

// forgive: launchd counts no tries.
func (*Service) forgive(context.Context) {}

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
