//go:build !windows

package platform

import (
	"context"
	"os/exec"
)

// Command is a program that gets no console; here none does.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	return exec.CommandContext(ctx, program, args...)
}
