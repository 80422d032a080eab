package fido

import (
	"encoding/binary"
	"strings"
	"testing"
)

// udevMessage makes a message as udev's monitor sends it.
func udevMessage(props ...string) []byte {
	body := strings.Join(props, "\x00") + "\x00"
	m := make([]byte, udevHeader, udevHeader+len(body))
	copy(m, udevPrefix)
	binary.BigEndian.PutUint32(m[8:], udevMagic)
	binary.NativeEndian.PutUint32(m[12:], udevHeader)
	binary.NativeEndian.PutUint32(m[16:], udevHeader)
	binary.NativeEndian.PutUint32(m[20:], uint32(len(body)))
	binary.BigEndian.PutUint32(m[24:], subsystemHash("hidraw"))
	return append(m, body...)
}

const uhidPlace = "/devices/virtual/misc/uhid/0003:F1D0:A17B.0001/hidraw/hidraw0"

func TestUdevMessages(t *testing.T) {
	t.Parallel()
	m := udevMessage("ACTION=add", "DEVPATH="+uhidPlace, "SUBSYSTEM=hidraw", "ID_FIDO_TOKEN=1")
	e, err := parseUdev(m)
	if err != nil || e.action != "add" || e.devpath != uhidPlace || e.subsystem != "hidraw" || e.props["ID_FIDO_TOKEN"] != "1" {
		t.Errorf("%+v, %v", e, err)
	}
	for name, spoil := range map[string]func(m []byte) []byte{
		"another prefix":              func(m []byte) []byte { m[0] = 'x'; return m },
		"another magic":               func(m []byte) []byte { m[8] = 0; return m },
		"properties behind the end":   func(m []byte) []byte { binary.NativeEndian.PutUint32(m[16:], 0xfffffff0); return m },
		"properties in the header":    func(m []byte) []byte { binary.NativeEndian.PutUint32(m[16:], 8); return m },
		"more properties than octets": func(m []byte) []byte { binary.NativeEndian.PutUint32(m[20:], 0xffffffff); return m },
		"a header cut short":          func(m []byte) []byte { return m[:udevHeader-1] },
		"nothing":                     func([]byte) []byte { return nil },
		"too much":                    func(m []byte) []byte { return append(m, make([]byte, maxUevent)...) },
		"no action":                   func([]byte) []byte { return udevMessage("DEVPATH="+uhidPlace, "SUBSYSTEM=hidraw") },
		"no subsystem":                func([]byte) []byte { return udevMessage("DEVPATH="+uhidPlace, "ACTION=add") },
		"a path out of sysfs":         func([]byte) []byte { return udevMessage("DEVPATH=/devices/../etc", "ACTION=add", "SUBSYSTEM=hidraw") },
		"a path elsewhere":            func([]byte) []byte { return udevMessage("DEVPATH=/bus/usb", "ACTION=add", "SUBSYSTEM=hidraw") },
	} {
		if e, err := parseUdev(spoil(udevMessage("ACTION=add", "DEVPATH="+uhidPlace, "SUBSYSTEM=hidraw"))); err == nil {
			t.Errorf("%s: %+v", name, e)
		}
	}
}

func TestKernelMessages(t *testing.T) {
	t.Parallel()
	e, err := parseKernel([]byte("remove@" + uhidPlace + "\x00ACTION=remove\x00DEVPATH=" + uhidPlace + "\x00SUBSYSTEM=hidraw\x00DEVNAME=hidraw0\x00"))
	if err != nil || e.action != "remove" || e.devpath != uhidPlace || e.props["DEVNAME"] != "hidraw0" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, bad := range []string{"", "add", "add\x00ACTION=add\x00", string(udevMessage("ACTION=add"))} {
		if e, err := parseKernel([]byte(bad)); err == nil {
			t.Errorf("%q: %+v", bad, e)
		}
	}
}

func TestSubsystemHashIsMurmurHash2(t *testing.T) {
	t.Parallel()
	// As libudev 252 puts them into its own socket filters.
	for name, want := range map[string]uint32{"hidraw": 0xc2caf397, "usb": 0x0577c5e5, "block": 0xf0031db7} {
		if got := subsystemHash(name); got != want {
			t.Errorf("%s: %#08x, want %#08x", name, got, want)
		}
	}
}

func FuzzUevent(f *testing.F) {
	f.Add(udevMessage("ACTION=add", "DEVPATH="+uhidPlace, "SUBSYSTEM=hidraw", "ID_FIDO_TOKEN=1"))
	f.Add([]byte("add@" + uhidPlace + "\x00ACTION=add\x00DEVPATH=" + uhidPlace + "\x00SUBSYSTEM=hidraw\x00"))
	f.Add([]byte(udevPrefix))
	f.Fuzz(func(t *testing.T, m []byte) {
		for _, parse := range []func([]byte) (uevent, error){parseUdev, parseKernel} {
			if e, err := parse(m); err == nil && (e.action == "" || strings.Contains(e.devpath, "/../")) {
				t.Errorf("%+v", e)
			}
		}
	})
}
