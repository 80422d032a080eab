package vkey

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/fido"
)

// needUHID skips the test where the kernel has no uhid. In the guest, where it
// must have it, AUTHBRIDGE_UHID=require makes that a failure.
func needUHID(t *testing.T) {
	t.Helper()
	if err := probeUHID(); err != nil {
		if os.Getenv("AUTHBRIDGE_UHID") == "require" {
			t.Fatal(err)
		}
		t.Skip("no uhid here: ", err)
	}
}

func probeUHID() error {
	f, err := os.OpenFile(uhidPath, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return f.Close()
}

// hidraw is a hidraw node as a link.
type hidraw struct{ *os.File }

func (h hidraw) ReadReport(p []byte, deadline time.Time) error {
	if err := h.SetReadDeadline(deadline); err != nil {
		return err
	}
	_, err := h.Read(p)
	return err
}

func (h hidraw) WriteReport(p []byte) error {
	_, err := h.Write(append([]byte{0}, p...))
	return err
}

// findNode is the hidraw node of a key, once it can be opened.
func findNode(t *testing.T, k *Key) string {
	t.Helper()
	give := time.After(patience)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		uevents, err := filepath.Glob("/sys/class/hidraw/*/device/uevent")
		if err != nil {
			t.Fatal(err)
		}
		for _, uevent := range uevents {
			text, err := os.ReadFile(uevent)
			if err != nil || !strings.Contains(string(text), "HID_UNIQ="+k.Serial()+"\n") {
				continue
			}
			node := "/dev/" + filepath.Base(filepath.Dir(filepath.Dir(uevent)))
			if f, err := os.OpenFile(node, os.O_RDWR, 0); err == nil {
				_ = f.Close()
				return node
			}
		}
		select {
		case <-tick.C:
		case <-give:
			t.Fatal("no hidraw node came")
		}
	}
}

var serials struct {
	sync.Mutex
	n int
}

// throughTheKernel plugs a key into the kernel and opens it through hidraw.
func throughTheKernel(t *testing.T, k *Key) plugged {
	t.Helper()
	serials.Lock()
	serials.n++
	k.serial = fmt.Sprintf("conformance-%d-%d", os.Getpid(), serials.n)
	serials.Unlock()
	u, err := PlugUHID(t.Context(), k)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := u.Unplug(); err != nil {
			t.Error(err)
		}
	})
	node := findNode(t, k)
	return plugged{
		open: func(t *testing.T) fido.Link {
			f, err := os.OpenFile(node, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = f.Close() })
			return hidraw{f}
		},
		unplug: func(t *testing.T) {
			if err := u.Unplug(); err != nil {
				t.Error(err)
			}
		},
	}
}

func TestConformanceUHID(t *testing.T) {
	needUHID(t)
	conformance(t, throughTheKernel)
}

func TestTheNodeLiesAmongTheVirtualDevices(t *testing.T) {
	needUHID(t)
	k := newKey(t, Config{Name: "virtual"})
	throughTheKernel(t, k)
	path, err := filepath.EvalSymlinks("/sys/class/hidraw/" + filepath.Base(findNode(t, k)))
	if err != nil || !strings.HasPrefix(path, "/sys/devices/virtual/misc/uhid/0003:F1D0:A17B.") {
		t.Errorf("the node is %s, %v", path, err)
	}
	uevent, err := os.ReadFile(filepath.Join(path, "device/uevent"))
	if err != nil || !bytes.Contains(uevent, []byte("HID_NAME=authbridge virtual key virtual\n")) {
		t.Errorf("its uevent is %s, %v", uevent, err)
	}
}

func TestPluggedIntoTheKernelManyTimes(t *testing.T) {
	needUHID(t)
	k := newKey(t, Config{})
	for range 20 {
		u, err := PlugUHID(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := PlugUHID(t.Context(), k); !errors.Is(err, ErrPlugged) {
			t.Errorf("plugged twice: %v", err)
		}
		if err := u.Unplug(); err != nil {
			t.Fatal(err)
		}
		select {
		case <-u.Done():
		default:
			t.Error("not done after Unplug")
		}
	}
}

func TestWithoutUHIDTheErrorSaysWhatToDo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "uhid")
	u, err := plugInto(t.Context(), newKey(t, Config{}), path)
	if u != nil || !errors.Is(err, ErrNoUHID) || !strings.Contains(err.Error(), path+" is missing (load") {
		t.Errorf("got %v, %v", u, err)
	}
}
