package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"authbridge/platform"
)

// startDaemon has the daemon started by who manages it: as this user's own
// service, or as the machine's, where that is the one that is to run. The latter
// wants an administrator, and then it says how.
func startDaemon(ctx context.Context, program string) error {
	own, err := platform.NewService(program, "run")
	if err != nil {
		return unstarted(runtime.GOOS, err)
	}
	system, err := platform.NewSystemService(program, "run", "--system")
	if err != nil {
		return unstarted(runtime.GOOS, err)
	}
	mine, err := own.State(ctx)
	machines, ofMachine := system.State(ctx)
	switch {
	case ofMachine == nil && toRun(mine, machines):
		err = system.Start(ctx)
	case err == nil:
		err = own.Start(ctx)
	}
	return unstarted(runtime.GOOS, err)
}

// toRun is whether of two services the machine's is the one that is to run: it
// starts by itself, or there is no other. Packages bring both, and enable the
// user's.
func toRun(own, system platform.ServiceState) bool {
	return system.Enabled || system.Installed && !own.Installed
}

// unstarted says what a person can do about a service that was not started.
func unstarted(goos string, err error) error {
	var todo string
	switch {
	case errors.Is(err, platform.ErrNotInstalled):
		todo = "authbridge service install installs it"
	case errors.Is(err, platform.ErrNoServices):
		todo = "authbridge run in a terminal runs it until that is closed"
	case errors.Is(err, platform.ErrNotPermitted) && goos == "windows":
		todo = "authbridge service start in an elevated prompt starts it"
	case errors.Is(err, platform.ErrNotPermitted):
		todo = "it is the machine's, sudo authbridge service start --system starts it"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, todo)
}
