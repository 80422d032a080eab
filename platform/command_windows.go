package platform

import (
	"context"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// Command is a program that gets no console, which would be a window where the
// caller has none.
func Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NO_WINDOW}
	return cmd
}
