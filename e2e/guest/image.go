//go:build linux

package guest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
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

// CacheEnv names the folder that guests are kept in, instead of e2e/guest/.cache
// of this checkout.
const CacheEnv = "AUTHBRIDGE_GUEST_CACHE"

//go:embed build.sh inside
var sources embed.FS

// tools are the programs that are needed, and the Debian packages they are in.
var tools = []struct{ program, in string }{
	{"qemu-system-x86_64", "qemu-system-x86"},
	{"qemu-img", "qemu-utils"},
	{"mmdebstrap", "mmdebstrap"},
	{"mke2fs", "e2fsprogs"},
	{"cpio", "cpio"},
	{"xz", "xz-utils"},
	{"zstd", "zstd"},
	{"dpkg-deb", "dpkg"},
}

// Image is a guest that waits for work.
type Image struct {
	dir string
}

// Files of an image. The state is made last.
const (
	diskFile  = "disk.ext4"  // as installed
	bootFile  = "boot.qcow2" // what was written to it until the snapshot
	stateFile = "state"      // memory and devices at the snapshot
)

// Ensure returns the guest, which it builds if there is none or its recipe has
// changed, telling log what it does.
func Ensure(ctx context.Context, log io.Writer) (Image, error) {
	cache, err := cacheDir(ctx)
	if err != nil {
		return Image{}, err
	}
	image := Image{dir: filepath.Join(cache, recipe())}
	if image.complete() {
		return image, nil
	}
	if err := os.MkdirAll(cache, 0o755); err != nil { //nolint:gosec // the build may run as another user
		return Image{}, err
	}
	unlock, err := lock(image.dir + ".lock")
	if err != nil {
		return Image{}, err
	}
	defer unlock()
	if image.complete() { // built by another process meanwhile
		return image, nil
	}
	if err := image.build(ctx, log); err != nil {
		return Image{}, err
	}
	if !image.complete() {
		return Image{}, fmt.Errorf("%s was built without %s", image.dir, stateFile)
	}
	return image, nil
}

func (i Image) complete() bool {
	_, err := os.Stat(filepath.Join(i.dir, stateFile))
	return err == nil
}

func (i Image) build(ctx context.Context, log io.Writer) error {
	began := time.Now()
	if err := checkTools(); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(log, "guest: none is built yet for this recipe, or it is gone; that takes one or two minutes")
	making := Image{dir: i.dir + ".making"}
	if err := os.RemoveAll(making.dir); err != nil {
		return err
	}
	recipeDir := filepath.Join(making.dir, "recipe")
	if err := writeSources(recipeDir); err != nil {
		return err
	}
	if err := making.install(ctx, filepath.Join(recipeDir, "build.sh"), log); err != nil {
		return err
	}
	_, _ = fmt.Fprintln(log, "guest: starting it, and keeping the state it waits in (25 s)")
	if err := making.snapshot(ctx); err != nil {
		return err
	}
	if err := os.Rename(making.dir, i.dir); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(log, "guest: built in %s\n", time.Since(began).Round(time.Second))
	return nil
}

// install runs the build script, as root. It tells its progress on standard output,
// and everything else on the other.
func (i Image) install(ctx context.Context, script string, log io.Writer) error {
	args := []string{script, i.dir}
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-E"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var details bytes.Buffer
	cmd.Stdout, cmd.Stderr = log, &details
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it tidies up
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the guest could not be built: %w\n%s", err, tail(details.Bytes()))
	}
	return nil
}

func checkTools() error {
	var missing []string
	for _, tool := range tools {
		if !installed(tool.program) {
			missing = append(missing, tool.in)
		}
	}
	if os.Geteuid() != 0 {
		if !installed("sudo") {
			return errors.New("building the guest needs root, and there is no sudo: run it as root")
		}
	}
	if missing != nil {
		return fmt.Errorf("building the guest needs what is not installed: apt-get install %s", strings.Join(missing, " "))
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

// recipe names the image that the sources, and the machine they are for, make.
func recipe() string {
	h := sha256.New()
	_ = fs.WalkDir(sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := sources.ReadFile(path)
		_, _ = fmt.Fprintf(h, "%s %d\n%s", path, len(content), content)
		return err
	})
	_, _ = fmt.Fprintln(h, machine("", "", ""))
	return hex.EncodeToString(h.Sum(nil))[:16]
}

func writeSources(dir string) error {
	return fs.WalkDir(sources, ".", func(path string, d fs.DirEntry, err error) error {
		to := filepath.Join(dir, path)
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(to, 0o755) //nolint:gosec // the build may run as another user
		}
		content, err := sources.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to, content, 0o755) //nolint:gosec // scripts
	})
}

// cacheDir is where images are kept.
func cacheDir(ctx context.Context) (string, error) {
	if dir := os.Getenv(CacheEnv); dir != "" {
		return filepath.Abs(dir)
	}
	root, err := moduleRoot(ctx)
	return filepath.Join(root, "e2e", "guest", ".cache"), err
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

// lock waits until no other process builds the same image.
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

// tail is the last lines of a text, as many as an error can do with.
func tail(text []byte) []byte {
	const lines = 20
	at := len(text)
	for range lines + 1 {
		if at = bytes.LastIndexByte(text[:at], '\n'); at < 0 {
			return text
		}
	}
	return text[at+1:]
}
