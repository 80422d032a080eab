package vkey

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"
)

// pipe is the host's end of a device as a link.
type pipe struct{ net.Conn }

func (p pipe) ReadReport(b []byte, deadline time.Time) error {
	if err := p.SetReadDeadline(deadline); err != nil {
		return err
	}
	_, err := io.ReadFull(p, b)
	return err
}

func (p pipe) WriteReport(b []byte) error { _, err := p.Write(b); return err }

func TestAnyDeviceCanBeServed(t *testing.T) {
	t.Parallel()
	k := newKey(t, Config{})
	for _, end := range []string{"the program", "the device"} {
		ctx, cancel := context.WithCancel(t.Context())
		host, device := net.Pipe() // keeps what is written together together
		ended := make(chan error)
		go func() { ended <- Serve(ctx, k, device) }()
		h := newHost(t, pipe{host})
		h.send(CTAPHID_PING, []byte("through a pipe"))
		h.want(CTAPHID_PING, []byte("through a pipe"))
		if end == "the program" {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("ended by %s: %v", end, err)
			}
		} else {
			_ = host.Close()
			if err := <-ended; !errors.Is(err, io.EOF) {
				t.Errorf("ended by %s: %v", end, err)
			}
		}
		cancel()
		_ = host.Close()
	}
	b := newBus(t, k)
	_, device := net.Pipe()
	if err := Serve(t.Context(), k, device); !errors.Is(err, ErrPlugged) {
		t.Errorf("a key that is plugged elsewhere: %v", err)
	}
	if _, err := device.Write([]byte{0}); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the device is still open: %v", err)
	}
	b.Close()
}
