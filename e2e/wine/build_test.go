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

// version is that of what is built here.
const version = "0.1.2"

// build makes in a folder the programs for Windows, an MSI of this version and of the
// next with them, and the tests of each package that [tested] names.
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
	for program, more := range map[string]string{"authbridge": "", "authbridge-tray": " -H=windowsgui"} { // as installer/build has it
		if err := compile("build", "-ldflags", "-s -w -X main.version="+version+more, "-o", filepath.Join(dir, program+".exe"), "./cmd/"+program); err != nil {
			return err
		}
	}
	for _, v := range []string{version, next} {
		if err := pack(ctx, dir, v); err != nil {
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

// pack makes an MSI whose readme is the version alone.
func pack(ctx context.Context, dir, version string) error {
	files, err := os.MkdirTemp(dir, "msi")
	if err != nil {
		return err
	}
	for _, program := range []string{"authbridge.exe", "authbridge-tray.exe"} {
		if err := os.Link(filepath.Join(dir, program), filepath.Join(files, program)); err != nil {
			return err
		}
	}
	for _, document := range []string{"README.md", "CHANGELOG.md", "COPYRIGHT"} {
		if err := os.WriteFile(filepath.Join(files, document), []byte(version), 0o600); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, "../../installer/windows/build", files, filepath.Join(dir, version+".msi"), version)
	cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=1700000000", "TZ=UTC")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("the MSI: %w\n%s", err, out)
	}
	return nil
}
