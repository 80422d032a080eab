package fido

import (
	"maps"
	"slices"
	"strings"
)

// instance is what Windows' device tree says of a HID device. It is asked of
// the tree alone: nothing is opened, and the device is not asked.
type instance struct {
	path     string   // of the device interface
	chain    []string // instance ids from the device up: HID\..., USB\..., PCI\...
	hardware []string // hardware ids of the device
	product  string   // what the USB device called itself
}

// node is the key that a device is; false if it is none.
func (d instance) node() (Node, bool) {
	const usage = `HID_DEVICE_UP:F1D0_U:0001`
	if !slices.ContainsFunc(d.hardware, func(id string) bool { return strings.EqualFold(id, usage) }) {
		return Node{}, false
	}
	n := Node{Path: d.path, Product: printable(d.product), Virtual: !onController(d.chain)}
	for _, id := range d.chain {
		enumerator, device, at := splitInstance(id)
		vid, pid, ok := vidPID(device)
		if !ok {
			continue
		}
		n.VendorID, n.ProductID = vid, pid
		// One function of a device with several has an id of its own.
		if enumerator != "USB" || strings.Contains(device, "&MI_") {
			continue
		}
		if strings.Contains(at, "&") { // made up by Windows from the place, as there is no serial number
			n.Port = at
		} else {
			n.Serial = printable(at)
		}
		break
	}
	return n, true
}

// splitInstance takes an instance id apart: ENUMERATOR\DEVICE\PLACE.
func splitInstance(id string) (enumerator, device, at string) {
	enumerator, rest, _ := strings.Cut(strings.ToUpper(id), `\`)
	device, at, _ = strings.Cut(rest, `\`)
	return enumerator, device, at
}

func vidPID(device string) (vid, pid uint16, ok bool) {
	var v, p string
	for part := range strings.SplitSeq(device, "&") {
		if s, found := strings.CutPrefix(part, "VID_"); found {
			v = s
		}
		if s, found := strings.CutPrefix(part, "PID_"); found {
			p = s
		}
	}
	return hex16(v), hex16(p), len(v) == 4 && len(p) == 4
}

// onController says whether a device hangs, by USB alone, on a host controller
// that is hardware. Controllers made of software (USB/IP, UDE) hang on the
// root of the tree; a HID device made of software has no USB at all.
func onController(chain []string) bool {
	usb := false
	for _, id := range chain {
		switch enumerator, _, _ := splitInstance(id); enumerator {
		case "HID":
		case "USB":
			usb = true
		case "PCI", "ACPI":
			return usb
		default:
			return false
		}
	}
	return false
}

// winWatch is one call of Watch.
type winWatch struct {
	inspect func(path string) (instance, error)
	found   func(Change)
	known   map[string]*Node // by path; nil: no key
}

// compare compares the HID devices that are there with those that were.
func (w *winWatch) compare(paths []string) {
	for _, path := range slices.Sorted(maps.Keys(w.known)) {
		if node := w.known[path]; !slices.Contains(paths, path) {
			delete(w.known, path)
			if node != nil {
				w.found(Change{Gone: true, Node: *node})
			}
		}
	}
	for _, path := range paths {
		if _, known := w.known[path]; known {
			continue
		}
		d, err := w.inspect(path)
		if err != nil {
			continue // gone again, or not ready: then there is another notification
		}
		w.known[path] = nil
		if node, ok := d.node(); ok {
			w.known[path] = &node
			w.found(Change{Node: node})
		}
	}
}
