//go:build linux && e2e

package kernel_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"authbridge/fido/vkey"
)

// gadget makes a USB device of a key: dummy_hcd is a host controller with a
// device port in the kernel, so the real USB HID driver is on the host's side.
func gadget(t *testing.T, k *vkey.Key, who identity) {
	t.Helper()
	for _, module := range []string{"dummy_hcd", "libcomposite", "usb_f_hid"} {
		if out, err := exec.Command("modprobe", module).CombinedOutput(); err != nil {
			t.Fatalf("modprobe %s: %v %s", module, err, out)
		}
	}
	root := "/sys/kernel/config/usb_gadget/" + k.Serial()
	function, config := filepath.Join(root, "functions/hid.usb0"), filepath.Join(root, "configs/c.1")
	undo := []func(){}
	t.Cleanup(func() {
		for i := len(undo) - 1; i >= 0; i-- {
			undo[i]()
		}
	})
	mkdir := func(path string) {
		if err := os.Mkdir(path, 0o755); err != nil {
			t.Fatal(err)
		}
		undo = append(undo, func() {
			if err := os.Remove(path); err != nil {
				t.Error(err)
			}
		})
	}
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	mkdir(root)
	write(root+"/idVendor", fmt.Sprintf("%#04x", who.vendor))
	write(root+"/idProduct", fmt.Sprintf("%#04x", who.product))
	mkdir(root + "/strings/0x409")
	write(root+"/strings/0x409/serialnumber", k.Serial())
	write(root+"/strings/0x409/manufacturer", who.maker)
	write(root+"/strings/0x409/product", who.name)
	mkdir(function)
	write(function+"/protocol", "0")
	write(function+"/subclass", "0")
	write(function+"/report_length", "64")
	write(function+"/report_desc", string(vkey.ReportDescriptor()))
	mkdir(config)
	if err := os.Symlink(function, config+"/hid.usb0"); err != nil {
		t.Fatal(err)
	}
	undo = append(undo, func() { _ = os.Remove(config + "/hid.usb0") })
	write(root+"/UDC", "dummy_udc.0")
	undo = append(undo, func() { _ = os.WriteFile(root+"/UDC", []byte("\n"), 0o600) })

	device, err := openWhenThere("/dev/hidg0")
	if err != nil {
		t.Fatal(err)
	}
	serve(t, k, device)
}

// openWhenThere opens a device node that udev is about to make.
func openWhenThere(path string) (*os.File, error) {
	late := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err == nil {
			return f, nil
		}
		select {
		case <-tick.C:
		case <-late:
			return nil, err
		}
	}
}

func TestLibfido2OverUSB(t *testing.T) {
	k, err := vkey.New(vkey.Config{Name: "usb", Serial: "judge-usb", PIN: []byte("1234")})
	if err != nil {
		t.Fatal(err)
	}
	gadget(t, k, own(k))
	j := &judge{t: t, key: k, dir: t.TempDir()}
	j.node = j.await()
	j.says(j.must(nil, "", "fido2-token", "-L"), j.node+": vendor=0xf1d0, product=0xa17b (authbridge authbridge virtual key usb)")
	j.says(j.must(nil, "", "fido2-token", "-I", j.node), "pin retries: 8")
	id, key := j.credential("over USB", []string{"1234"}, []string{"-v"}, []string{"-v"})
	j.assertion(id, key, []string{"1234"}, []string{"-v"}, []string{"-v"})
}
