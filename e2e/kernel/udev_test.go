//go:build linux && e2e

package kernel_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"authbridge/e2e/guest"
)

// forbiddenKey is the serial number of the key that the tests' rules keep from
// the group.
const forbiddenKey = "guest-forbidden"

// keyRules installs the rule that comes with authbridge, and one after it that
// takes one key away again. It returns the group that has the others.
func keyRules(t *testing.T) (gid uint32) {
	t.Helper()
	gid = keyGroup(t)
	installRules(t)
	return gid
}

// keyGroup makes the group of the rule, as docs/linux.md says.
func keyGroup(t *testing.T) (gid uint32) {
	t.Helper()
	if out, err := exec.Command("groupadd", "--system", "--force", "authbridge-keys").CombinedOutput(); err != nil {
		t.Fatalf("groupadd: %v %s", err, out)
	}
	group, err := user.LookupGroup("authbridge-keys")
	if err != nil {
		t.Fatal(err)
	}
	return number(t, group.Gid)
}

func installRules(t *testing.T) {
	t.Helper()
	ours, err := os.ReadFile(filepath.Join(guest.Share, keyRule))
	if err != nil {
		t.Fatal(err)
	}
	rules := map[string]string{
		"71-authbridge.rules": string(ours),
		"72-authbridge-test.rules": `ACTION!="remove", SUBSYSTEM=="hidraw", IMPORT{parent}="HID_UNIQ"
ACTION!="remove", SUBSYSTEM=="hidraw", ENV{HID_UNIQ}=="` + forbiddenKey + `", GROUP="root", MODE="0600"
`,
	}
	const dir = "/run/udev/rules.d"
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	reload := func() {
		if out, err := exec.Command("udevadm", "control", "--reload").CombinedOutput(); err != nil {
			t.Errorf("udevadm: %v %s", err, out)
		}
	}
	t.Cleanup(reload)
	for name, rule := range rules {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(rule), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = os.Remove(file) })
	}
	reload()
}

func number(t *testing.T, decimal string) uint32 {
	t.Helper()
	n, err := strconv.ParseUint(decimal, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	return uint32(n)
}

// udevAtRest waits until udev has no more to do.
func udevAtRest(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("udevadm", "settle").CombinedOutput(); err != nil {
		t.Fatalf("udevadm settle: %v %s", err, out)
	}
}

// told is what udev told everybody about a hidraw node.
type told struct{ action, node string }

// listenToUdev is udev's own word on hidraw nodes.
func listenToUdev(t *testing.T) <-chan told {
	t.Helper()
	const udevGroup = 2 // the kernel's own is 1
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.NETLINK_KOBJECT_UEVENT)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Bind(fd, &unix.SockaddrNetlink{Family: unix.AF_NETLINK, Groups: udevGroup}); err != nil {
		t.Fatal(err)
	}
	socket := os.NewFile(uintptr(fd), "udev")
	messages := make(chan told, 1000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 64<<10)
		for {
			n, err := socket.Read(buf)
			if err != nil {
				if !errors.Is(err, os.ErrClosed) {
					t.Errorf("udev's messages: %v", err)
				}
				return
			}
			if m, ok := parseUdev(buf[:n]); ok {
				messages <- m
			}
		}
	}()
	t.Cleanup(func() {
		_ = socket.Close()
		<-done
	})
	return messages
}

// parseUdev reads a message of libudev: a header that says where the properties
// begin, in the machine's byte order, then they, each ended by NUL.
func parseUdev(m []byte) (told, bool) {
	if len(m) < 24 || !bytes.HasPrefix(m, []byte("libudev\x00")) {
		return told{}, false
	}
	at := int(binary.NativeEndian.Uint32(m[16:]))
	if at > len(m) {
		return told{}, false
	}
	properties := map[string]string{}
	for _, line := range strings.Split(string(m[at:]), "\x00") {
		name, value, _ := strings.Cut(line, "=")
		properties[name] = value
	}
	return told{properties["ACTION"], properties["DEVNAME"]}, properties["SUBSYSTEM"] == "hidraw"
}

// wantTold takes udev's next message, which must be this one.
func wantTold(t *testing.T, messages <-chan told, want told) {
	t.Helper()
	select {
	case m := <-messages:
		if m != want {
			t.Fatalf("udev told of %v, want %v", m, want)
		}
	case <-time.After(patience):
		t.Fatalf("udev did not tell of %v", want)
	}
}

// udevKnows is whether udev has done its work on a node: what it found out is in
// its data, and the mode is that of the rule.
func udevKnows(t *testing.T, node string) bool {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Stat(node, &stat); err != nil || stat.Mode&0o777 != 0o660 {
		t.Logf("%s: mode %o, %v", node, stat.Mode&0o777, err)
		return false
	}
	data, err := os.ReadFile("/run/udev/data/c" + strconv.Itoa(int(unix.Major(stat.Rdev))) + ":" + strconv.Itoa(int(unix.Minor(stat.Rdev))))
	if err != nil {
		t.Log(err)
	}
	return bytes.Contains(data, []byte("E:ID_FIDO_TOKEN=1\n"))
}
