//go:build linux && e2e

package kernel_test

import (
	"context"
	"encoding/binary"
	"os"
	"testing"

	"authbridge/fido/vkey"
)

// identity is what a device says it is.
type identity struct {
	vendor, product uint16
	maker, name     string
}

// own is what our virtual keys say themselves.
func own(k *vkey.Key) identity {
	return identity{vkey.VendorID, vkey.ProductID, "authbridge", k.Product()}
}

// plugHID plugs something into the kernel as a program does that knows nothing
// of ours, with linux/uhid.h alone.
func plugHID(t *testing.T, who identity, serial string, descriptor []byte) *os.File {
	t.Helper()
	f, err := os.OpenFile("/dev/uhid", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	const create2, busUSB = 11, 3
	create := make([]byte, 280+len(descriptor)) // struct uhid_create2_req
	order := binary.NativeEndian
	order.PutUint32(create, create2)
	copy(create[4:131], who.name)
	copy(create[196:259], serial)
	order.PutUint16(create[260:], uint16(len(descriptor)))
	order.PutUint16(create[262:], busUSB)
	order.PutUint32(create[264:], uint32(who.vendor))
	order.PutUint32(create[268:], uint32(who.product))
	copy(create[280:], descriptor)
	if _, err := f.Write(create); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// plugMouse makes a hidraw node that is no key and belongs to root.
func plugMouse(t *testing.T) {
	t.Helper()
	plugHID(t, identity{0x046d, 0xc31c, "", "decoy"}, "guest-decoy", []byte{
		0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, 0x05, 0x09, 0x19, 0x01,
		0x29, 0x03, 0x15, 0x00, 0x25, 0x01, 0x95, 0x08, 0x75, 0x01, 0x81, 0x02, 0xc0, 0xc0,
	})
}

// plugForeign plugs a key in that says it is another maker's.
func plugForeign(t *testing.T, k *vkey.Key, who identity) {
	t.Helper()
	serve(t, k, foreign{plugHID(t, who, k.Serial(), vkey.ReportDescriptor())})
}

// serve makes a device the key, until the test ends.
func serve(t *testing.T, k *vkey.Key, device vkeyDevice) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- vkey.Serve(ctx, k, device) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
}

// vkeyDevice carries one report with each read and write.
type vkeyDevice interface {
	Read(p []byte) (int, error)
	Write(p []byte) (int, error)
	Close() error
}

// foreign is a device made through uhid as a carrier of reports.
type foreign struct{ file *os.File }

func (f foreign) Read(p []byte) (int, error) {
	const output, dataMax = 6, 4096
	event := make([]byte, 4376) // struct uhid_event
	for {
		n, err := f.file.Read(event)
		if err != nil {
			return 0, err
		}
		if order := binary.NativeEndian; n >= 4+dataMax+2 && order.Uint32(event) == output {
			return copy(p, event[4:4+order.Uint16(event[4+dataMax:])]), nil
		}
	}
}

func (f foreign) Write(p []byte) (int, error) {
	const input2 = 12
	event := make([]byte, 6, 6+len(p))
	binary.NativeEndian.PutUint32(event, input2)
	binary.NativeEndian.PutUint16(event[4:], uint16(len(p)))
	if _, err := f.file.Write(append(event, p...)); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (f foreign) Close() error { return f.file.Close() }
