package fido

import (
	"path"
	"strconv"
	"strings"
	"unicode"
)

// hidName is what a HID device's uevent file in sysfs says.
type hidName struct {
	vendor, product  uint16
	name, phys, uniq string
}

// parseHIDUevent reads it: lines such as HID_ID=0003:00001050:00000407.
func parseHIDUevent(text string) hidName {
	var h hidName
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		switch key {
		case "HID_ID":
			if ids := strings.Split(value, ":"); len(ids) == 3 {
				h.vendor, h.product = hex16(ids[1]), hex16(ids[2])
			}
		case "HID_NAME":
			h.name = printable(value)
		case "HID_PHYS":
			h.phys = printable(value)
		case "HID_UNIQ":
			h.uniq = printable(value)
		}
	}
	return h
}

func hex16(s string) uint16 {
	n, err := strconv.ParseUint(s, 16, 32)
	if err != nil || n > 0xffff {
		return 0
	}
	return uint16(n)
}

// maxName bounds the strings that a device says of itself.
const maxName = 256

// printable makes a string that a device chose fit to be shown.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, s)
	if len(s) > maxName {
		s = strings.ToValidUTF8(s[:maxName], "")
	}
	return strings.TrimSpace(s)
}

// place is what the path of a hidraw device below sysfs says of it:
// /devices/pci0000:00/0000:00:14.0/usb1/1-2/1-2:1.0/0003:1050:0407.0004/hidraw/hidraw0.
type place struct {
	name     string // hidraw0
	instance string // 0003:1050:0407.0004, never given twice in a boot
	hid      string // the path of the HID device, below sysfs
	port     string // 0000:00:14.0/2:1.0, empty unless on USB
	virtual  bool
}

// parsePlace reads the path of a hidraw device; false if it is none.
func parsePlace(devpath string) (place, bool) {
	hid, name := path.Split(path.Clean(devpath))
	hid, class := path.Split(path.Clean(hid))
	p := place{name: name, hid: path.Clean(hid)}
	if !strings.HasPrefix(p.hid, "/devices/") || class != "hidraw" || !isHidraw(name) {
		return place{}, false
	}
	p.instance = path.Base(p.hid)
	p.port, p.virtual = usbPort(strings.Split(path.Dir(p.hid), "/"))
	return p, true
}

func isHidraw(name string) bool {
	n, ok := strings.CutPrefix(name, "hidraw")
	_, err := strconv.ParseUint(n, 10, 16)
	return ok && err == nil
}

// usbPort finds the USB port in the path of a HID device's parent, without the
// number of the bus, which another start of the machine may change. A device
// counts as virtual unless its path shows a USB bus on a controller, and
// nothing that is known to be made of software: uhid and everything else below
// /devices/virtual, the looped-back controller dummy_hcd, and vhci_hcd, which
// is USB/IP.
func usbPort(parents []string) (port string, virtual bool) {
	virtual = true
	for i, p := range parents {
		bus, ok := strings.CutPrefix(p, "usb")
		if _, err := strconv.ParseUint(bus, 10, 16); !ok || err != nil || i < 3 || i == len(parents)-1 {
			continue
		}
		_, at, _ := strings.Cut(parents[len(parents)-1], "-")
		port = parents[i-1] + "/" + at
		virtual = !strings.HasPrefix(parents[2], "pci") && parents[2] != "platform" && parents[2] != "soc0"
		break
	}
	for _, p := range parents {
		for _, software := range []string{"virtual", "uhid", "dummy", "vhci", "usbip"} {
			virtual = virtual || strings.Contains(p, software)
		}
	}
	return port, virtual
}
