package platform

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// askTime bounds a question to the manager: a bus that hangs is none.
const askTime = 10 * time.Second

// state asks systemctl for properties, since is-active says of a unit that waits
// for its next try that it is activating, and nothing of where it came from.
func (s *Service) state(ctx context.Context) (ServiceState, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	cmd := s.systemctl(ctx, "show", ServiceName+".service", "--property=LoadState,ActiveState,SubState,UnitFileState,FragmentPath,NRestarts,StatusText")
	var words strings.Builder
	cmd.Stderr = &words
	out, err := cmd.Output()
	switch {
	case errors.Is(err, exec.ErrNotFound), err != nil && s.system: // it answers everybody
		return ServiceState{}, ErrNoServices
	case err != nil:
		return ServiceState{}, fmt.Errorf("%w: %s", ErrNoSession, strings.TrimSpace(words.String()))
	}
	return unitState(string(out)), nil
}

func (s *Service) systemctl(ctx context.Context, args ...string) *exec.Cmd {
	if !s.system {
		args = append([]string{"--user"}, args...)
	}
	return exec.CommandContext(ctx, "systemctl", args...)
}

// enable has a packaged unit start by itself, or not. That of the user was enabled
// by the package, and whoever disabled it is not overruled.
func (s *Service) enable(ctx context.Context, on bool) error {
	if !s.system {
		return nil
	}
	verb := "disable"
	if on {
		verb = "enable"
	}
	if out, err := s.systemctl(ctx, verb, ServiceName+".service").CombinedOutput(); err != nil {
		return fmt.Errorf("systemctl %s: %w: %s", verb, err, strings.TrimSpace(string(out)))
	}
	return nil
}

// forgive has systemd forget the tries before: it refuses one too many (systemd.unit(5),
// StartLimitBurst=), and somebody who starts it by hand has mended what was wrong.
func (s *Service) forgive(ctx context.Context) {
	_ = s.systemctl(ctx, "reset-failed", ServiceName+".service").Run() // where there is none it may be refused
}

// unitState reads the properties of a unit (systemctl(1), show).
func unitState(text string) ServiceState {
	of := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		of[name] = value
	}
	state := ServiceState{
		Installed: of["LoadState"] != "not-found" && of["LoadState"] != "",
		Enabled:   of["UnitFileState"] == "enabled" || of["UnitFileState"] == "enabled-runtime",
		Running:   of["ActiveState"] == "active" || of["ActiveState"] == "reloading",
		Unit:      of["FragmentPath"],
	}
	// Units of packages are in /usr/lib, or /lib, which may be a link to it.
	state.FromPackage = strings.HasPrefix(state.Unit, "/usr/lib/") || strings.HasPrefix(state.Unit, "/lib/")
	if sub := of["SubState"]; sub != "running" && sub != "dead" {
		state.Detail = sub
	}
	if !state.Running {
		state.Why = of["StatusText"]
	}
	state.Restarts, _ = strconv.Atoi(of["NRestarts"])
	return state
}

func denied(err error) bool { return errors.Is(err, fs.ErrPermission) }
