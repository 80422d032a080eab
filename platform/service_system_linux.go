package platform

import (
	"context"
	_ "embed"
	"fmt"
	"os/exec"
	"os/user"
	"strings"
)

// sysusers are the user and the groups of the system service (sysusers.d(5)).
//
//go:embed units/sysusers.conf
var sysusers string

// prepareSystem makes what the system's unit takes for granted.
func prepareSystem(ctx context.Context, program string) error {
	if err := rootsAlone(program); err != nil {
		return err
	}
	if _, err := user.Lookup(serviceUser); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "systemd-sysusers", "-")
	cmd.Stdin = strings.NewReader(sysusers)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%w: systemd-sysusers: %w: %s", ErrNoServiceUser, err, strings.TrimSpace(string(out)))
	}
	return nil
}
