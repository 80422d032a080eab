//go:build linux && e2e

package installer_test

import (
	"embed"
	"errors"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"authbridge/e2e/debian"
)

//go:embed build.sh
var recipe embed.FS

// rooted is a Linux that a test may change, which this one runs no service of.
type rooted struct {
	t   *testing.T
	dir string
}

func newRoot(t *testing.T) rooted {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("to install a package takes root")
	}
	base, err := debian.Recipe{Name: "installer", Files: recipe, Takes: "half a minute"}.Ensure(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	r := rooted{t, filepath.Join(t.TempDir(), "root")}
	does(t, "/", "cp", "-a", filepath.Join(base, "root"), r.dir)
	return r
}

// run runs a program of the root's, with processes of its own, which end with it.
func (r rooted) run(args ...string) (said string, err error) {
	// Its / is a mount, as on a machine: rpm changes how mounts spread.
	const enter = `mount --bind "$0" "$0"; mount -t proc proc "$0/proc"; exec chroot "$0" "$@"`
	cmd := exec.CommandContext(r.t.Context(), "unshare", append([]string{"--mount", "--pid", "--fork", "--kill-child", "sh", "-ec", enter, r.dir}, args...)...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C"}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (r rooted) does(args ...string) string {
	r.t.Helper()
	said, err := r.run(args...)
	if err != nil {
		r.t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, said)
	}
	return said
}

func (r rooted) rpm(args ...string) string {
	r.t.Helper()
	return r.does(append([]string{"rpm"}, args...)...)
}

// files are all that lies there, but for rpm's own database and what keeps users.
func (r rooted) files() map[string]bool {
	r.t.Helper()
	all := map[string]bool{}
	for _, path := range strings.Fields(does(r.t, r.dir, "find", ".", "-path", "./var/lib/rpm", "-prune", "-o", "-path", "./proc", "-prune", "-o", "-print")) {
		all[path] = true
	}
	return all
}

func (r rooted) exists(path string) bool {
	_, err := os.Lstat(filepath.Join(r.dir, path))
	return err == nil
}

// packed is the rpm of this checkout in the root, and what is the same in it as an
// older and a newer version.
func packed(t *testing.T, r rooted) (this, older, newer string) {
	t.Helper()
	checkout, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	does(t, checkout, "make", "dist")
	found, _ := filepath.Glob(filepath.Join(checkout, "dist", "*.rpm"))
	if len(found) != 1 {
		t.Fatalf("make dist made %v", found)
	}
	work := t.TempDir()
	stage := filepath.Join(work, "root")
	must(t, os.Mkdir(stage, 0o755))
	// As it was staged: what the package's description adds is taken out.
	does(t, stage, "sh", "-ec", `rpm2cpio "$1" | cpio --quiet --no-absolute-filenames -idm
mv usr/share/zsh/site-functions/_authbridge ../zsh && rm -r usr/share/zsh etc && touch ../changelog.Debian.gz`, "sh", found[0])
	as := func(version string) string {
		t.Setenv("VERSION", version)
		for name, value := range map[string]string{"ARCH": "amd64", "STAGE": stage, "WORK": work, "GLIBC": "2.34"} {
			t.Setenv(name, value)
		}
		does(t, checkout, ".bin/nfpm", "package", "--config", "installer/nfpm.yaml", "--packager", "rpm", "--target", r.dir+"/root/")
		return "/root/authbridge-" + version + "-1.x86_64.rpm"
	}
	does(t, "/", "cp", found[0], r.dir+"/root/")
	return "/root/" + filepath.Base(found[0]), as("0.0.0"), as("99.0.0")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// noDeps: what it depends on is there, and not from rpms.
const noDeps = "--nodeps"

const enabledLink = "etc/systemd/user/default.target.wants/authbridge.service"

// TestAnRPMFromInstallToErase by rpm itself, in a root of its own.
func TestAnRPMFromInstallToErase(t *testing.T) {
	r := newRoot(t)
	this, older, newer := packed(t, r)
	// A folder of another package's with another owner is a conflict to rpm:
	// polkit's is polkitd's on Fedora.
	for line := range strings.Lines(r.rpm("-qplv", this)) {
		if strings.HasPrefix(line, "d") && !strings.Contains(line, "/authbridge") {
			t.Errorf("a folder of others is in it: %s", line)
		}
	}
	before := r.files()

	if said := r.rpm("-i", noDeps, this); !strings.Contains(said, "starts by itself when you log in") {
		t.Errorf("installed, it says\n%s", said)
	}
	if !r.exists(enabledLink) {
		t.Error("it does not start with the next session")
	}
	if said := r.does("id", "authbridge"); !strings.Contains(said, "authbridge-keys") {
		t.Errorf("the system service's user is %s", said)
	}
	if said := r.does("sh", "-c", "getent group authbridge"); !regexp.MustCompile(`^authbridge:x:\d+:\n$`).MatchString(said) {
		t.Errorf("the group is not empty: %s", said)
	}
	if said := r.does("runuser", "-u", "ada", "--", "sh", "-ec", dayOne(t)); !strings.Contains(said, "✓ passed") {
		t.Errorf("no sign-in at AAL3:\n%s", said)
	}

	r.does("systemctl", "--global", "disable", "authbridge.service")
	const desktop = "etc/xdg/autostart/authbridge-tray.desktop"
	must(t, os.WriteFile(filepath.Join(r.dir, desktop), []byte("[Desktop Entry]\nHidden=true\n"), 0o644))
	r.rpm("-U", noDeps, newer)
	if said := r.rpm("-q", "authbridge"); said != "authbridge-99.0.0-1.x86_64\n" {
		t.Errorf("after an upgrade there is %s", said)
	}
	if r.exists(enabledLink) {
		t.Error("an upgrade has enabled what an administrator had disabled")
	}
	if text, err := os.ReadFile(filepath.Join(r.dir, desktop)); err != nil || !strings.Contains(string(text), "Hidden") {
		t.Errorf("an upgrade has overruled who changed the tray's autostart: %q, %v", text, err)
	}
	for _, old := range []string{this, older} {
		said, err := r.run("rpm", "-U", noDeps, old)
		if !errors.As(err, new(*exec.ExitError)) || !strings.Contains(said, "newer than") {
			t.Errorf("an older one is not refused: %v\n%s", err, said)
		}
	}

	r.does("systemctl", "--global", "enable", "authbridge.service")
	if said := r.rpm("-e", "authbridge"); !strings.Contains(said, "~/.local/state/authbridge") {
		t.Errorf("erased, it does not say what stays:\n%s", said)
	}
	var left []string
	for path := range r.files() {
		if info, err := os.Lstat(filepath.Join(r.dir, path)); err == nil && info.IsDir() && !strings.Contains(path, "authbridge") {
			continue // a folder of shells' or desktops' packages, which are not here
		}
		// Users stay, with all that systemd and passwd keep of them, and what is
		// somebody's own.
		if !before[path] && !strings.HasPrefix(path, "./home/ada/") && !regexp.MustCompile(`^\./(etc/(passwd|shadow|group|gshadow)-|etc/\.pwd\.lock|run/.*|tmp/.*)$`).MatchString(path) {
			left = append(left, path)
		}
	}
	if want := []string{"./" + desktop + ".rpmsave"}; !slices.Equal(left, want) {
		t.Errorf("it leaves %v, want %v", left, want)
	}
	for path := range maps.Keys(before) {
		if !r.exists(path) {
			t.Errorf("%s is gone with it", path)
		}
	}
}

// dayOne is the README's path where nothing manages services: its own commands,
// once the daemon runs.
func dayOne(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	must(t, err)
	_, path, _ := strings.Cut(string(text), "\n## Day one\n")
	path, _, _ = strings.Cut(path, "\n## ")
	typed := regexp.MustCompile(`(?m)^\$ (.*)$`).FindAllStringSubmatch(path, -1)
	if len(typed) < 2 {
		t.Fatalf("the README has %d commands to type on day one", len(typed))
	}
	script := `cd
authbridge run >run.log 2>&1 &
until authbridge status; do [ -d /proc/$! ]; sleep 0.1; done
`
	for _, command := range typed {
		script += command[1] + "\n"
	}
	return script + "kill $!\nwait"
}
