//go:build linux

package guest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
)

// Require is the variable that says, with the value "require", that the tests
// run in a guest: what they need of the kernel must be there, and no test is
// skipped for want of it.
const Require = "AUTHBRIDGE_UHID"

// Tests are Go tests to be run in the guest.
type Tests struct {
	// Packages are import paths or folders, as for go test.
	Packages []string
	// Tags are build tags, separated by commas, as for go test.
	Tags string
	// Flags are those of a test binary: -test.v, -test.run=REGEXP.
	Flags []string
	// Programs are packages of programs, which the tests find on their PATH.
	Programs []string
}

// Prepare builds the tests, without cgo since the guest's libraries are its own,
// and makes a payload of them in a folder to be shared. They are run one package
// after the other, with [Require] set, and in the folder of their package's
// testdata.
func (tests Tests) Prepare(ctx context.Context, share string) error {
	if err := os.Chmod(share, 0o755); err != nil { //nolint:gosec // other users of the guest run what is in it
		return err
	}
	script := []string{
		"#!/bin/bash",
		"export " + Require + "=require PATH=/host/bin:$PATH",
		"failed=0",
	}
	for _, pkg := range tests.Packages {
		out, err := run(ctx, "go", "list", "-tags", tests.Tags, "-f", "{{.ImportPath}}\n{{.Dir}}", pkg)
		if err != nil {
			return err
		}
		importPath, dir, _ := strings.Cut(strings.TrimSpace(out), "\n")
		to := filepath.Join(share, filepath.FromSlash(importPath))
		binary := path.Base(importPath) + ".test"
		if _, err := run(ctx, "go", "test", "-tags", tests.Tags, "-c", "-o", filepath.Join(to, binary), importPath); err != nil {
			return err
		}
		if _, err := os.Stat(filepath.Join(to, binary)); err != nil {
			return fmt.Errorf("%s has no tests with the build tags %q", importPath, tests.Tags)
		}
		if err := copyTestdata(dir, to); err != nil {
			return err
		}
		script = append(script,
			fmt.Sprintf("echo '=== %s'", importPath),
			fmt.Sprintf("cd /host/%s && ./%s %s || failed=1", importPath, binary, quote(tests.Flags)))
	}
	for _, program := range tests.Programs {
		if _, err := run(ctx, "go", "build", "-o", filepath.Join(share, "bin")+"/", program); err != nil {
			return err
		}
	}
	script = append(script, "exit $failed", "")
	return os.WriteFile(filepath.Join(share, Payload), []byte(strings.Join(script, "\n")), 0o755) //nolint:gosec // it is run
}

func copyTestdata(from, to string) error {
	testdata := filepath.Join(from, "testdata")
	if _, err := os.Stat(testdata); err != nil {
		return nil //nolint:nilerr // a package need not have any
	}
	return os.CopyFS(filepath.Join(to, "testdata"), os.DirFS(testdata))
}

func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, word := range words {
		quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

func run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, errs.String())
	}
	return string(out), nil
}
