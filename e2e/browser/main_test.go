//go:build linux && e2e

package browser_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// client is the npm package, seen from here.
const client = "../../clients/playwright"

// binary is the built authbridge.
var binary string

// TestMain builds what the tests run, once.
func TestMain(m *testing.M) {
	code, err := all(m)
	if err != nil {
		_, _ = fmt.Fprintln(os.Stdout, "FAIL:", err)
		code = 1
	}
	os.Exit(code)
}

func all(m *testing.M) (code int, err error) {
	dir, err := os.MkdirTemp("", "authbridge-browser-")
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	binary = filepath.Join(dir, "authbridge")
	if err := run(".", "go", "build", "-o", binary, "../../cmd/authbridge"); err != nil {
		return 1, err
	}
	if _, err := os.Stat(filepath.Join(client, "node_modules", "express-openid-connect")); errors.Is(err, fs.ErrNotExist) {
		if err := run(client, "npm", "ci"); err != nil {
			return 1, err
		}
	}
	if err := run(client, "npm", "run", "build"); err != nil {
		return 1, err
	}
	return m.Run(), nil
}

func run(dir, name string, args ...string) error {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s %v: %w\n%s", name, args, err, out)
	}
	return nil
}
