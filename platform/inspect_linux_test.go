package platform

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// machine lays a tree as sysfs and procfs would show it.
func machine(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, text := range files {
		at := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestAUSBReaderIsSeenByItsInterfaceClass(t *testing.T) {
	t.Parallel()
	root := machine(t, map[string]string{
		"sys/bus/usb/devices/1-2/idVendor":                  "08e6\n",
		"sys/bus/usb/devices/1-2/idProduct":                 "3437\n",
		"sys/bus/usb/devices/1-2/product":                   "USB SmartCard Reader\n",
		"sys/bus/usb/devices/1-2:1.0/bInterfaceClass":       "0b\n",
		"sys/bus/usb/devices/1-2:1.1/bInterfaceClass":       "0b\n",
		"sys/bus/usb/devices/1-3:1.0/bInterfaceClass":       "03\n",
		"sys/class/hidraw/hidraw0/device/uevent":            "HID_NAME=Some mouse\n",
		"sys/class/hidraw/hidraw1/device/uevent":            "HID_NAME=Some key\n",
		"dev/hidraw1":                                       "",
		"sys/class/hidraw/hidraw0/device/report_descriptor": "\x05\x01",
		"sys/class/hidraw/hidraw1/device/report_descriptor": "\x06\xd0\xf1\x09\x01",
	})
	m := inspectIn(root)
	want := []USBDevice{{Path: "1-2", VendorID: "08e6", Product: "3437", Name: "USB SmartCard Reader"}}
	if !slices.Equal(m.USBReaders, want) {
		t.Errorf("readers %+v, want %+v", m.USBReaders, want)
	}
	if len(m.Hidraw) != 1 || m.Hidraw[0].Name != "Some key" || !m.Hidraw[0].Openable {
		t.Errorf("keys %+v, want the one with usage page F1D0", m.Hidraw)
	}
}

func TestProcAddressesAreReadInHostOrder(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"00000000:8C7B":                         "0.0.0.0:35963",
		"0100007F:459F":                         "127.0.0.1:17823",
		"00000000000000000000000001000000:0050": "[::1]:80",
		"":                                      "",
		"zz:1":                                  "",
		"0100007F":                              "",
		"010000:0050":                           "",
	} {
		if got, err := procAddress(in); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
}

func TestAListenerIsFoundWithItsProgram(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	for _, found := range Inspect().Listeners {
		if found.Address == l.Addr().String() {
			if found.Process.PID != os.Getpid() {
				t.Errorf("listener of %+v, want process %d", found.Process, os.Getpid())
			}
			return
		}
	}
	t.Errorf("%s not found", l.Addr())
}

// A child that has the parent's socket, a fork that has not executed yet, is
// not taken for its owner, whatever their ids.
func TestASocketIsOfTheProcessThatStartedFirst(t *testing.T) {
	t.Parallel()
	proc := t.TempDir()
	for pid, start := range map[string]string{"7": "900", "71": "100", "102": "100"} {
		fd := filepath.Join(proc, pid, "fd")
		if err := os.MkdirAll(fd, 0o700); err != nil {
			t.Fatal(err)
		}
		stat := pid + " (a ) b) S 1" + strings.Repeat(" 0", 17) + " " + start + " 0\n"
		if err := os.WriteFile(filepath.Join(proc, pid, "stat"), []byte(stat), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink("socket:[4711]", filepath.Join(fd, "3")); err != nil {
			t.Fatal(err)
		}
	}
	if owner := socketOwners(proc)["4711"]; owner.PID != 71 {
		t.Errorf("got process %d, want 71", owner.PID)
	}
}

func TestTheHolderOfTheHardwareIsNamed(t *testing.T) {
	t.Parallel()
	name := "authbridge-test-holder-" + filepath.Base(t.TempDir()) + filepath.Base(filepath.Dir(t.TempDir()))
	if h := holderOf(name); h.PID != 0 {
		t.Fatalf("nobody holds it, got %+v", h)
	}
	lock, err := lockPhysical(name)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = lock.Close() }()
	if h := holderOf(name); h.PID != os.Getpid() || h.Name == "" {
		t.Errorf("got %+v, want this process", h)
	}
}

// TestTheRulesOfASystemServiceAreMissed where somebody has installed it without a
// package, wherever udev and polkit would find them.
func TestTheRulesOfASystemServiceAreMissed(t *testing.T) {
	t.Parallel()
	const unit, udev, polkit = "etc/systemd/system/authbridge.service", "/etc/udev/rules.d/71-authbridge.rules", "/etc/polkit-1/rules.d/authbridge.rules"
	for name, c := range map[string]struct {
		there   []string
		missing []string
	}{
		"no system service":            {},
		"that of the package":          {there: []string{"usr/lib/systemd/system/authbridge.service"}},
		"neither rule":                 {there: []string{unit}, missing: []string{polkit, udev}},
		"polkit's alone":               {there: []string{unit, polkit[1:]}, missing: []string{udev}},
		"both where packages put them": {there: []string{unit, "usr/lib/udev/rules.d/71-authbridge.rules", "usr/share/polkit-1/rules.d/authbridge.rules"}},
		"both where admins put them":   {there: []string{unit, udev[1:], polkit[1:]}},
	} {
		files := map[string]string{}
		for _, path := range c.there {
			files[path] = "x"
		}
		if got := inspectIn(machine(t, files)).MissingRules; !slices.Equal(got, c.missing) {
			t.Errorf("%s: %v, want %v", name, got, c.missing)
		}
	}
}
