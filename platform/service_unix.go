//go:build unix

package platform

import "context"

// What the library does of these is what systemd and launchd are to do; neither
// can be asked to give up meanwhile.

func (s *Service) install(ctx context.Context, now ServiceState) error {
	if now.Installed && !now.FromPackage {
		if err := s.remove(ctx); err != nil {
			return err
		}
	}
	return s.manager.Install()
}

func (s *Service) start(ctx context.Context) error {
	s.forgive(ctx)
	return s.manager.Start()
}

func (s *Service) restart(ctx context.Context) error {
	s.forgive(ctx)
	return s.manager.Restart()
}

func (s *Service) stop(context.Context) error   { return s.manager.Stop() }
func (s *Service) remove(context.Context) error { return s.manager.Uninstall() }
