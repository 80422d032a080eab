//go:build unix && !linux

package platform

import "context"

// prepareSystem: launchd runs it as root.
func prepareSystem(_ context.Context, program string) error { return rootsAlone(program) }
