package virtual_test

import (
	"context"
	"encoding/binary"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/virtual"
	"authbridge/fido"
)

// CTAPHID commands (CTAP 2.1, 11.2.9) with the bit of an initialisation packet.
const (
	hidInit = 0x86
	hidCBOR = 0x90
)

// TestATouchEndsTheWaitingOfAKey asks the key on the wire for a touch
// (authenticatorSelection), before or after the order to touch comes.
func TestATouchEndsTheWaitingOfAKey(t *testing.T) {
	t.Parallel()
	d := begin(t, virtual.Config{Empty: true})
	must(t)(d.Plug(soon(t), contract.VirtualPlug{Name: "k", Touch: "command"}))
	link := openOnly(t, d)
	defer func() { _ = link.Close() }()
	for _, early := range []bool{false, true} {
		channel := binary.BigEndian.Uint32(exchange(t, link, 0xFFFFFFFF, hidInit, []byte("12345678"))[8:])
		touched := make(chan error, 1)
		ctx := soon(t)
		if early {
			go func() { touched <- d.Touch(ctx, "k") }()
		}
		write(t, link, channel, hidCBOR, []byte{0x0B})
		if !early {
			go func() { touched <- d.Touch(ctx, "k") }()
		}
		if status := read(t, link, channel, hidCBOR)[0]; status != 0 {
			t.Errorf("the key answers %#x to a touch", status)
		}
		if err := <-touched; err != nil {
			t.Error(err)
		}
	}
	if v := listed(t, d, "k"); v.Messages != 4 {
		t.Errorf("the key counts %d messages", v.Messages)
	}
}

func openOnly(t *testing.T, d *virtual.Devices) fido.Link {
	t.Helper()
	ctx, cancel := context.WithCancel(soon(t))
	defer cancel()
	var node fido.Node
	if err := d.Bus().Watch(ctx, func(c fido.Change) {
		if c.Settled {
			cancel()
			return
		}
		node = c.Node
	}); err != nil {
		t.Fatal(err)
	}
	link, err := d.Bus().Open(soon(t), node)
	if err != nil {
		t.Fatal(err)
	}
	return link
}

func exchange(t *testing.T, link fido.Link, channel uint32, command byte, body []byte) []byte {
	t.Helper()
	write(t, link, channel, command, body)
	return read(t, link, channel, command)
}

func write(t *testing.T, link fido.Link, channel uint32, command byte, body []byte) {
	t.Helper()
	report := make([]byte, fido.ReportSize)
	binary.BigEndian.PutUint32(report, channel)
	report[4], report[6] = command, byte(len(body))
	copy(report[7:], body)
	if err := link.WriteReport(report); err != nil {
		t.Fatal(err)
	}
}

// read waits for the answer to a command and passes over what keeps it alive.
func read(t *testing.T, link fido.Link, channel uint32, command byte) []byte {
	t.Helper()
	report := make([]byte, fido.ReportSize)
	for {
		if err := link.ReadReport(report, time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		if binary.BigEndian.Uint32(report) == channel && report[4] == command {
			return append([]byte(nil), report[7:7+max(int(report[6]), 1)]...)
		}
	}
}
