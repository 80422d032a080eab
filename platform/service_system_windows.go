package platform

import "context"

// mayManageSystem: the manager itself says who may.
func mayManageSystem() bool { return true }

// prepareSystem: LocalSystem is always there.
func prepareSystem(context.Context, string) error { return nil }
