package fido

import (
	"errors"
	"slices"
	"testing"
)

func TestKeysInTheDeviceTreeOfWindows(t *testing.T) {
	t.Parallel()
	fido := []string{`HID\VID_1050&PID_0407&REV_0543&MI_01`, `HID_DEVICE_UP:F1D0_U:0001`, `HID_DEVICE`}
	const (
		hid       = `HID\VID_1050&PID_0407&MI_01\8&2f3&0&0000`
		function  = `USB\VID_1050&PID_0407&MI_01\7&1a2b&0&0001`
		hub       = `USB\ROOT_HUB30\4&3b&0&0`
		pci       = `PCI\VEN_8086&DEV_A36D&SUBSYS_1\3&11&0&A0`
		noSerial  = `USB\VID_1050&PID_0407\6&2a&0&3`
		hasSerial = `usb\vid_096e&pid_0858\FT123`
	)
	for name, c := range map[string]struct {
		d    instance
		want Node
	}{
		"one function of several": {
			instance{"p", []string{hid, function, noSerial, hub, pci, `ACPI\PNP0A08\0`, `HTREE\ROOT\0`}, fido, "YubiKey OTP+FIDO\x00"},
			Node{Path: "p", Port: "6&2A&0&3", Product: "YubiKey OTP+FIDO", VendorID: 0x1050, ProductID: 0x0407},
		},
		"with a serial number": {
			instance{"p", []string{`HID\VID_096E&PID_0858\7&1&0&0000`, hasSerial, hub, `ACPI\QCOM0A8B\0`}, fido, ""},
			Node{Path: "p", Serial: "FT123", VendorID: 0x096e, ProductID: 0x0858},
		},
		"over USB/IP": {
			instance{"p", []string{hid, function, noSerial, hub, `ROOT\USB\0000`, `HTREE\ROOT\0`}, fido, ""},
			Node{Path: "p", Port: "6&2A&0&3", VendorID: 0x1050, ProductID: 0x0407, Virtual: true},
		},
		"made of software": {
			instance{"p", []string{`HID\VHF\1`, `ROOT\VHF\0000`}, fido, "soft"},
			Node{Path: "p", Product: "soft", Virtual: true},
		},
		"by Bluetooth":        {instance{"p", []string{`HID\X\1`, `BTHLEDEVICE\X\1`, noSerial, hub, pci}, fido, ""}, Node{Path: "p", Virtual: true, Port: "6&2A&0&3", VendorID: 0x1050, ProductID: 0x0407}},
		"of which no more is": {instance{"p", nil, fido, ""}, Node{Path: "p", Virtual: true}},
	} {
		if n, ok := c.d.node(); !ok || n != c.want {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", name, ok, n, c.want)
		}
	}
	if n, ok := (instance{"p", []string{hid}, []string{`HID_DEVICE_SYSTEM_MOUSE`, `HID_DEVICE_UP:0001_U:0002`}, ""}).node(); ok {
		t.Errorf("a mouse is %+v", n)
	}
}

func TestTheDeviceTreeOfWindowsIsComparedWithWhatWasThere(t *testing.T) {
	t.Parallel()
	var told []string
	asked := 0
	w := winWatch{known: map[string]*Node{}, found: func(c Change) {
		word := "came "
		if c.Gone {
			word = "gone "
		}
		told = append(told, word+c.Node.Path)
	}, inspect: func(path string) (instance, error) {
		asked++
		switch path {
		case "mouse":
			return instance{path: path}, nil
		case "early":
			return instance{}, errors.New("not yet")
		}
		return instance{path: path, hardware: []string{"hid_device_up:f1d0_u:0001"}}, nil
	}}
	w.compare([]string{"mouse", "b", "a"})
	w.compare([]string{"mouse", "b", "a"})
	w.compare([]string{"mouse", "c", "early"})
	w.compare([]string{"early"})
	if want := []string{"came b", "came a", "gone a", "gone b", "came c", "gone c"}; !slices.Equal(told, want) || asked != 6 {
		t.Errorf("told %q after %d questions, want %q after 6", told, asked, want)
	}
}
