package pcsc

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// sysfsWith makes a sysfs with USB devices, "bus address path".
func sysfsWith(t *testing.T, devices map[string][2]string) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("sysfs is of Linux, and its links and separators too")
	}
	root := t.TempDir()
	bus := filepath.Join(root, "bus/usb/devices")
	if err := os.MkdirAll(bus, 0o700); err != nil {
		t.Fatal(err)
	}
	for path, number := range devices {
		device := filepath.Join(root, "devices", path)
		if err := os.MkdirAll(device, 0o700); err != nil {
			t.Fatal(err)
		}
		for i, file := range []string{"busnum", "devnum"} {
			if err := os.WriteFile(filepath.Join(device, file), []byte(number[i]+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(device, filepath.Join(bus, filepath.Base(path))); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestOriginIsDecidedByTheTransport(t *testing.T) {
	t.Parallel()
	sysfs := sysfsWith(t, map[string][2]string{
		"pci0000:00/0000:00:14.0/usb1/1-2":   {"1", "5"},
		"platform/vhci_hcd.0/usb3/3-1":       {"3", "2"},
		"platform/dummy_hcd.0/usb4/4-1":      {"4", "2"},
		"platform/soc/fd500000.usb/usb2/2-1": {"2", "3"},
		"virtual/usb/9-1":                    {"9", "1"},
	})
	for _, c := range []struct {
		name  string
		value []byte
		want  bool
		why   string
	}{
		{"on a PCI controller", []byte{5, 1, 0x20, 0}, false, "USB bus 1, address 5"},
		{"on a board's controller", []byte{3, 2, 0x20, 0}, false, "USB bus 2, address 3"},
		{"as 8 octets", []byte{5, 1, 0x20, 0, 0, 0, 0, 0}, false, "USB bus 1"},
		{"over USB/IP", []byte{2, 3, 0x20, 0}, true, "vhci_hcd.0"},
		{"a gadget of this machine", []byte{2, 4, 0x20, 0}, true, "dummy_hcd.0"},
		{"a virtual device", []byte{1, 9, 0x20, 0}, true, "virtual"},
		{"not there", []byte{9, 1, 0x20, 0}, true, "no USB device"},
		{"serial", []byte{1, 0, 0x01, 0}, true, "not USB"},
		{"nothing", nil, true, "0 octets"},
		{"too little", []byte{5, 1}, true, "2 octets"},
	} {
		if got := originOfChannel(sysfs, c.value); got.Virtual != c.want || !strings.Contains(got.Why, c.why) {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
	if got := originOfChannel(filepath.Join(sysfs, "missing"), []byte{5, 1, 0x20, 0}); !got.Virtual {
		t.Errorf("without sysfs: %+v", got)
	}
}

func TestOriginOfAWindowsDevice(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		chain []string
		want  bool
	}{
		{"USB reader", []string{`USB\VID_076B&PID_3031\5&1`, `USB\ROOT_HUB30\4&2`, `PCI\VEN_8086&DEV_A36D\3&1`, `ACPI\PNP0A08\0`, `ACPI_HAL\PNP0C08\0`, `ROOT\ACPI_HAL\0000`, `HTREE\ROOT\0`}, false},
		{"interface of a composite key", []string{`USB\VID_1050&PID_0407&MI_02\6&1`, `USB\VID_1050&PID_0407\5&1`, `usb\root_hub30\4&2`, `pci\ven_8086\3`}, false},
		{"TPM virtual smart card", []string{`ROOT\SMARTCARDREADER\0000`, `HTREE\ROOT\0`}, true},
		{"over USB/IP", []string{`USB\VID_076B&PID_3031\1`, `USB\ROOT_HUB30\1`, `ROOT\USBIP_WIN2_UDE\0000`}, true},
		{"software device", []string{`SWD\SCDEVICEENUM\1`}, true},
		{"remote session", []string{`TERMINPUT_BUS\X\1`}, true},
		{"nothing above it is known", []string{`USB\VID_076B&PID_3031\1`}, true},
		{"nothing", nil, true},
	} {
		if got := originOfDevice(c.chain); got.Virtual != c.want || got.Why == "" {
			t.Errorf("%s: %+v", c.name, got)
		}
	}
}

func TestOriginAsksTheDriverAndNotTheCard(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		c.opts.Sysfs = sysfsWith(t, map[string][2]string{"pci0000:00/usb1/1-2": {"1", "5"}})
		card.attribute = []byte{5, 1, 0x20, 0}
		if o, err := c.Origin(t.Context(), "A"); err != nil || o.Virtual {
			t.Errorf("got %+v, %v", o, err)
		}
		if got, want := card.story(), "connect direct, attribute, disconnect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		if o, err := c.Origin(t.Context(), "Windows Hello for Business 1"); err != nil || !o.Virtual || card.story() != "" {
			t.Errorf("Windows Hello: %+v, %v", o, err)
		}
		card.refuse["attribute"] = &Error{opAttribute, SCARD_E_UNSUPPORTED_FEATURE}
		if o, err := c.Origin(t.Context(), "A"); err != nil || !o.Virtual {
			t.Errorf("a driver without channel: %+v, %v", o, err)
		}
		card.refuse["attribute"] = &Error{opAttribute, SCARD_E_READER_UNAVAILABLE}
		if o, err := c.Origin(t.Context(), "A"); !errors.Is(err, SCARD_E_READER_UNAVAILABLE) || !o.Virtual {
			t.Errorf("a reader that went: %+v, %v", o, err)
		}
	})
}
