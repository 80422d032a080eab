//go:build linux && e2e

package wine_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// build compiles the programs for Windows, and the tests of each package that
// [tested] names, into a folder.
func build(ctx context.Context, dir string) error {
	compile := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "go", args...)
		cmd.Dir = "../.."
		cmd.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
		}
		return nil
	}
	for _, program := range []string{"authbridge", "authbridge-tray"} {
		if err := compile("build", "-ldflags", "-s -w -X main.version="+version, "-o", filepath.Join(dir, program+".exe"), "./cmd/"+program); err != nil {
			return err
		}
	}
	for _, p := range tested {
		if err := compile("test", "-c", "-ldflags", "-s -w", "-o", filepath.Join(dir, p.binary()), "./"+p.path); err != nil {
			return err
		}
	}
	return nil
}

// version is that of what is built here.
const version = "0.1.2"
