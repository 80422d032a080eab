package platform

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// surveyTime bounds each program that is asked.
const surveyTime = 3 * time.Second

func survey(ctx context.Context) Survey {
	s := Survey{System: prettyName("/etc/os-release"), PCSC: pcscVersion(ctx), Session: session(ctx), Container: container(), Rules: rules("/")}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		s.Kernel = unix.ByteSliceToString(name.Release[:]) + " " + unix.ByteSliceToString(name.Machine[:])
	}
	return s
}

// prettyName reads os-release(5).
func prettyName(file string) string {
	for l := range strings.SplitSeq(line(file), "\n") {
		if name, ok := strings.CutPrefix(l, "PRETTY_NAME="); ok {
			return strings.Trim(name, `"'`)
		}
	}
	return ""
}

// ask runs a program and gives the beginning of what it writes; nothing where it
// fails.
func ask(ctx context.Context, most int64, name string, args ...string) string {
	ctx, cancel := context.WithTimeout(ctx, surveyTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(out, most))
	_ = out.Close() // what is more is not wanted
	if cmd.Wait() != nil && int64(len(text)) < most {
		return ""
	}
	return string(text)
}

func pcscVersion(ctx context.Context) string {
	for _, daemon := range [...]string{"/usr/sbin/pcscd", "/usr/bin/pcscd"} {
		if first, _, _ := strings.Cut(ask(ctx, 4096, daemon, "--version"), "\n"); first != "" {
			return strings.TrimSpace(first)
		}
	}
	return ""
}

// session asks logind for this process's session, or, as of a user's service, the
// one at the screen.
func session(ctx context.Context) map[string]string {
	of := map[string]string{}
	text := ask(ctx, 4096, "loginctl", "show-session", "auto", "--property=Seat,Type,Class,Active,State,Remote,Service")
	for l := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(l), "="); ok {
			of[strings.ToLower(name)] = value
		}
	}
	return of
}

// container says what this runs in, by the marks that are left for programs to
// see (systemd's container interface; Docker; Podman; WSL).
func container() string {
	switch kind := line("/run/systemd/container"); {
	case kind != "":
		return kind
	case exists("/.dockerenv"):
		return "docker"
	case exists("/run/.containerenv"):
		return "podman"
	case strings.Contains(line("/proc/sys/kernel/osrelease"), "icrosoft"):
		return "wsl"
	}
	return ""
}

// rules names the files of polkit and udev that are about cards and keys. Where
// the folder is closed to this user, that is said.
func rules(root string) []string {
	found := []string{}
	for _, dir := range [...]string{"etc/polkit-1/rules.d", "usr/share/polkit-1/rules.d", "etc/udev/rules.d", "usr/lib/udev/rules.d"} {
		entries, err := os.ReadDir(filepath.Join(root, dir))
		if os.IsPermission(err) {
			found = append(found, "/"+dir+": closed to this user")
		}
		for _, e := range entries {
			for _, word := range [...]string{"pcsc", "authbridge", "fido", "u2f", "smartcard", "yubi", "ccid"} {
				if strings.Contains(strings.ToLower(e.Name()), word) {
					found = append(found, "/"+dir+"/"+e.Name())
					break
				}
			}
		}
	}
	return found
}

// ServiceLog is the newest of the service's log, at most so many lines, without
// traces; empty where there is none.
func ServiceLog(ctx context.Context, lines int) string {
	const longest = 2 << 20
	return ask(ctx, longest, "journalctl", "--user-unit="+ServiceName, "--unit="+ServiceName, "--priority=info",
		"--lines="+strconv.Itoa(lines), "--output=short-iso-precise", "--no-hostname", "--no-pager", "--quiet")
}
