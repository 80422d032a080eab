//go:build linux

package debian

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// CacheEnv names the folder that all is kept in, instead of e2e/NAME/.cache of
// this checkout.
const CacheEnv = "AUTHBRIDGE_GUEST_CACHE"

//go:embed debian.sh
var script []byte

// Recipe is how something is built.
type Recipe struct {
	Name  string // of the package below e2e, and in what is told
	Files fs.FS  // build.sh, and what it takes
	More  string // what the result depends on besides
	Takes string // how long it takes, for whoever waits
	// Tools are the programs that are needed, and the Debian packages they are in.
	// mmdebstrap is always among them.
	Tools []Tool
	// Then goes on in the folder that build.sh has filled; it may be nil.
	Then func(ctx context.Context, dir string) error
}

// Tool is a program and the Debian package it is in.
type Tool struct{ Program, In string }

// Ensure returns the folder of what the recipe makes. If there is none, or the
// recipe has changed, it has it built, telling log what it does.
func (r Recipe) Ensure(ctx context.Context, log io.Writer) (dir string, err error) {
	cache, err := r.cache(ctx)
	if err != nil {
		return "", err
	}
	dir = filepath.Join(cache, r.hash())
	if exists(dir) {
		return dir, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil { //nolint:gosec // the build may run as another user
		return "", err
	}
	unlock, err := lock(dir + ".lock")
	if err != nil {
		return "", err
	}
	defer unlock()
	if exists(dir) { // built by another process meanwhile
		return dir, nil
	}
	return dir, r.build(ctx, dir, log)
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (r Recipe) build(ctx context.Context, dir string, log io.Writer) error {
	began := time.Now()
	if err := r.checkTools(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "%s: none is built yet for this recipe, or it is gone; that takes %s\n", r.Name, r.Takes)
	making := dir + ".making"
	if err := r.asRoot(ctx, nil, "rm", "-rf", making); err != nil { // it may hold root's files
		return err
	}
	files := filepath.Join(making, "recipe")
	if err := r.write(files); err != nil {
		return err
	}
	if err := r.asRoot(ctx, log, filepath.Join(files, "build.sh"), making); err != nil {
		return err
	}
	if r.Then != nil {
		if err := r.Then(ctx, making); err != nil {
			return err
		}
	}
	if err := os.Rename(making, dir); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "%s: built in %s\n", r.Name, time.Since(began).Round(time.Second))
	return nil
}

// asRoot runs a program whose standard output is for the log, and everything else
// for the error.
func (r Recipe) asRoot(ctx context.Context, log io.Writer, args ...string) error {
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-E"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var details bytes.Buffer
	cmd.Stdout, cmd.Stderr = log, &details
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it tidies up
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the %s could not be built: %w\n%s", r.Name, err, Tail(details.Bytes()))
	}
	return nil
}

func (r Recipe) checkTools() error {
	var missing []string
	for _, tool := range append([]Tool{{"mmdebstrap", "mmdebstrap"}}, r.Tools...) {
		if !installed(tool.Program) {
			missing = append(missing, tool.In)
		}
	}
	if os.Geteuid() != 0 && !installed("sudo") {
		return fmt.Errorf("building the %s needs root, and there is no sudo: run it as root", r.Name)
	}
	if missing != nil {
		return fmt.Errorf("building the %s needs what is not installed: apt-get install %s", r.Name, strings.Join(missing, " "))
	}
	return nil
}

// installed also looks where the path of an ordinary user does not lead.
func installed(program string) bool {
	if _, err := exec.LookPath(program); err == nil {
		return true
	}
	_, err := exec.LookPath(filepath.Join("/usr/sbin", program))
	return err == nil
}

// hash names what the files, and what they are for, make.
func (r Recipe) hash() string {
	h := sha256.New()
	_ = fs.WalkDir(r.Files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := fs.ReadFile(r.Files, path)
		_, _ = fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	_, _ = fmt.Fprintf(h, "%s\n%s\n", script, r.More)
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func (r Recipe) write(dir string) error {
	err := fs.WalkDir(r.Files, ".", func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(to, 0o755) //nolint:gosec // the build may run as another user
		}
		content, err := fs.ReadFile(r.Files, path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o755) //nolint:gosec // scripts
	})
	return errors.Join(err, os.WriteFile(filepath.Join(dir, "debian.sh"), script, 0o644)) //nolint:gosec // root may be another user
}

// cache is where it is kept.
func (r Recipe) cache(ctx context.Context) (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := moduleRoot(ctx)
	return filepath.Join(root, "e2e", r.Name, ".cache"), err
}

func moduleRoot(ctx context.Context) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("where the module is: %w", err)
	}
	mod := strings.TrimSpace(string(out))
	if filepath.Base(mod) != "go.mod" {
		return "", fmt.Errorf("no module is here; set %s, or run this in the checkout", CacheEnv)
	}
	return filepath.Dir(mod), nil
}

// lock waits until no other process builds the same.
func lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644) //nolint:gosec // shared by users of the cache
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		_ = f.Close()
		return nil, err
	}
	return func() { _ = f.Close() }, nil
}

// Tail is the last lines of a text, as many as an error can do with.
func Tail(text []byte) []byte {
	const lines = 20
	at := len(text)
	for range lines + 1 {
		if at = bytes.LastIndexByte(text[:at], '\n'); at < 0 {
			return text
		}
	}
	return text[at+1:]
}
