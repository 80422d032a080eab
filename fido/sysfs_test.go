package fido

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestThePlaceOfAKeySaysWhetherItIsVirtual(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		devpath, port string
		virtual       bool
	}{
		{"/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/0003:1050:0407.0004/hidraw/hidraw0", "0000:00:14.0/2:1.0", false},
		{"/devices/pci0000:00/0000:00:1c.0/0000:02:00.0/usb3/3-1/3-1.4/3-1.4:1.1/0003:1050:0407.0004/hidraw/hidraw3", "0000:02:00.0/1.4:1.1", false},
		{"/devices/platform/soc/3f980000.usb/usb1/1-1/1-1.3/1-1.3:1.0/0003:096E:0858.0002/hidraw/hidraw1", "3f980000.usb/1.3:1.0", false},
		{"/devices/virtual/misc/uhid/0003:F1D0:A17B.0001/hidraw/hidraw0", "", true},
		{"/devices/platform/dummy_hcd.0/usb2/2-1/2-1:1.0/0003:1050:0407.0009/hidraw/hidraw2", "dummy_hcd.0/1:1.0", true},
		{"/devices/platform/vhci_hcd.0/usb4/4-1/4-1:1.0/0003:1050:0407.0009/hidraw/hidraw2", "vhci_hcd.0/1:1.0", true},
		{"/devices/pci0000:00/INTC1055:00/i2c-3/0018:1050:0407.0001/hidraw/hidraw2", "", true},
		{"/devices/unheard/of/usb1/1-1/1-1:1.0/0003:1050:0407.0001/hidraw/hidraw2", "of/1:1.0", true},
	} {
		p, ok := parsePlace(c.devpath)
		if !ok || p.port != c.port || p.virtual != c.virtual {
			t.Errorf("%s: %+v, %v", c.devpath, p, ok)
		}
	}
	for _, none := range []string{
		"", "/", "hidraw0", "/devices/hidraw0", "/devices/virtual/misc/uhid/0003:F1D0:A17B.0001/input/input3",
		"/devices/virtual/0003:F1D0:A17B.0001/hidraw/hidraw", "/devices/virtual/0003:F1D0:A17B.0001/hidraw/hidrawx",
		"/class/hidraw/hidraw0", "/devices/../../etc/hidraw/hidraw0",
	} {
		if p, ok := parsePlace(none); ok {
			t.Errorf("%q is a place: %+v", none, p)
		}
	}
}

func TestWhatADeviceSaysOfItselfIsFitToBeShown(t *testing.T) {
	t.Parallel()
	h := parseHIDUevent("DRIVER=hid-generic\nHID_ID=0003:00001050:00000407\nHID_NAME= Yubico\x1b[31m YubiKey\xff \nHID_PHYS=usb-0000:00:14.0-2/input0\nHID_UNIQ=" + strings.Repeat("é", 300) + "\n")
	if h.vendor != 0x1050 || h.product != 0x0407 || h.name != "Yubico[31m YubiKey" || h.phys != "usb-0000:00:14.0-2/input0" {
		t.Errorf("%+v", h)
	}
	if len(h.uniq) > maxName || !utf8.ValidString(h.uniq) {
		t.Errorf("a serial number of %d octets, valid: %v", len(h.uniq), utf8.ValidString(h.uniq))
	}
	if h := parseHIDUevent("HID_ID=0003:1000010050:xyz\nHID_ID=1\n"); h.vendor != 0 || h.product != 0 {
		t.Errorf("%+v", h)
	}
}

func FuzzSysfs(f *testing.F) {
	f.Add("HID_ID=0003:00001050:00000407\nHID_NAME=x", "/devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/0003:1050:0407.0004/hidraw/hidraw0")
	f.Add("HID_UNIQ", "/devices/hidraw/hidraw0")
	f.Fuzz(func(t *testing.T, text, devpath string) {
		if h := parseHIDUevent(text); len(h.name) > maxName || !utf8.ValidString(h.name) {
			t.Errorf("name %q", h.name)
		}
		if p, ok := parsePlace(devpath); ok && !strings.HasPrefix(p.hid, "/devices/") {
			t.Errorf("%q leads to %q", devpath, p.hid)
		}
	})
}
