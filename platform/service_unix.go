//go:build unix

package platform

import "context"

// What the library does of these is what systemd and launchd are to do; neither
// can be asked to give up meanwhile.

func (s *Service) start(context.Context) error   { return s.manager.Start() }
func (s *Service) stop(context.Context) error    { return s.manager.Stop() }
func (s *Service) restart(context.Context) error { return s.manager.Restart() }
func (s *Service) remove(context.Context) error  { return s.manager.Uninstall() }
