package vkey

import (
	"bytes"
	"encoding/binary"
	"testing"
)

func TestTheDeviceSaysThatItIsVirtual(t *testing.T) {
	t.Parallel()
	e := uhidCreate(newKey(t, Config{Name: "one", Serial: "0001"}))
	if len(e) != 4376 {
		t.Errorf("struct uhid_event has %d octets, want 4376", len(e))
	}
	text := func(from, size int) string { return string(bytes.TrimRight(e[from:from+size], "\x00")) }
	if got := text(4, 128); got != "authbridge virtual key one" {
		t.Errorf("name %q", got)
	}
	if got := text(196, 64); got != "0001" {
		t.Errorf("uniq %q", got)
	}
	if n := binary.NativeEndian.Uint16(e[260:]); n != 34 {
		t.Errorf("the report descriptor has %d octets", n)
	}
}

func TestReportsThatDoNotExistAreRefused(t *testing.T) {
	t.Parallel()
	for kind, reply := range map[uint32]uint32{uhidGetReport: uhidGetReportReply, uhidSetReport: uhidSetReportReply} {
		e := make([]byte, uhidEventSize)
		binary.NativeEndian.PutUint32(e, kind)
		binary.NativeEndian.PutUint32(e[4:], 77)
		ev, ok := parseUHID(e)
		if !ok || binary.NativeEndian.Uint32(ev.reply) != reply || binary.NativeEndian.Uint32(ev.reply[4:]) != 77 || binary.NativeEndian.Uint16(ev.reply[8:]) != errnoEIO {
			t.Errorf("event %d: %v %x", kind, ok, ev.reply)
		}
	}
}

// FuzzUHID reads events as a broken kernel could send them.
func FuzzUHID(f *testing.F) {
	e := make([]byte, uhidEventSize)
	binary.NativeEndian.PutUint32(e, uhidOutput)
	binary.NativeEndian.PutUint16(e[uhidOutputSize:], 65)
	f.Add(e)
	f.Add([]byte{uhidGetReport, 0, 0, 0})
	f.Add([]byte{uhidStart, 0, 0, 0})
	f.Fuzz(func(t *testing.T, e []byte) {
		if ev, ok := parseUHID(e); ok && len(ev.output) > uhidDataMax {
			t.Errorf("an output report of %d octets", len(ev.output))
		}
	})
}
