package vkey

import (
	"encoding/binary"
	"errors"
	"slices"
)

// ErrNoUHID says that the key cannot be plugged into the kernel here: the
// system has no uhid, or this process may not use it.
var ErrNoUHID = errors.New("vkey: no uhid here")

// The events of /dev/uhid (linux/uhid.h), in the machine's byte order.
const (
	uhidDestroy        = 1
	uhidStart          = 2
	uhidStop           = 3
	uhidOutput         = 6
	uhidGetReport      = 9
	uhidGetReportReply = 10
	uhidCreate2        = 11
	uhidInput2         = 12
	uhidSetReport      = 13
	uhidSetReportReply = 14
)

const (
	uhidDataMax = 4096
	// uhidEventSize is the size of struct uhid_event, whose largest member is
	// uhid_create2_req.
	uhidEventSize = 4 + 128 + 64 + 64 + 2 + 2 + 4*4 + uhidDataMax
	busUSB        = 3
	// uhidOutputSize is where the size of an output report stands.
	uhidOutputSize = 4 + uhidDataMax
	errnoEIO       = 5
)

// reportDescriptor is that of a FIDO key (CTAP 2.1, 11.2.8.1): usage page
// F1D0, one input and one output report of 64 octets, no report numbers.
var reportDescriptor = [...]byte{
	0x06, 0xd0, 0xf1, // usage page (FIDO Alliance)
	0x09, 0x01, // usage (CTAPHID)
	0xa1, 0x01, // collection (application)
	0x09, 0x20, // usage (data in)
	0x15, 0x00, 0x26, 0xff, 0x00, // logical 0 to 255
	0x75, 0x08, 0x95, 0x40, // 64 times 8 bits
	0x81, 0x02, // input
	0x09, 0x21, // usage (data out)
	0x15, 0x00, 0x26, 0xff, 0x00,
	0x75, 0x08, 0x95, 0x40,
	0x91, 0x02, // output
	0xc0, // end collection
}

// ReportDescriptor is the report descriptor of a FIDO key, for who makes a
// device for [Serve].
func ReportDescriptor() []byte { return slices.Clone(reportDescriptor[:]) }

// uhidCreate makes the UHID_CREATE2 event that plugs a key in.
func uhidCreate(k *Key) []byte {
	e := make([]byte, uhidEventSize)
	order := binary.NativeEndian
	order.PutUint32(e, uhidCreate2)
	copy(e[4:4+127], k.Product())
	copy(e[132:132+63], "vkey/"+k.Name())
	copy(e[196:196+63], k.Serial())
	order.PutUint16(e[260:], uint16(len(reportDescriptor)))
	order.PutUint16(e[262:], busUSB)
	order.PutUint32(e[264:], VendorID)
	order.PutUint32(e[268:], ProductID)
	order.PutUint32(e[272:], firmwareMajor<<8|firmwareMinor)
	copy(e[280:], reportDescriptor[:])
	return e
}

// uhidEvent is an event of the kernel, as far as a key cares.
type uhidEvent struct {
	kind   uint32
	output []byte // of UHID_OUTPUT: what the host wrote
	reply  []byte // what the kernel must be told at once
}

// parseUHID reads an event of the kernel; false if it makes no sense.
func parseUHID(e []byte) (uhidEvent, bool) {
	if len(e) < 4 {
		return uhidEvent{}, false
	}
	order := binary.NativeEndian
	ev := uhidEvent{kind: order.Uint32(e)}
	switch ev.kind {
	case uhidOutput:
		if len(e) < uhidOutputSize+2 {
			return uhidEvent{}, false
		}
		n := int(order.Uint16(e[uhidOutputSize:]))
		if n > uhidDataMax {
			return uhidEvent{}, false
		}
		ev.output = e[4 : 4+n]
	case uhidGetReport, uhidSetReport:
		// There are no such reports; without an answer the asker waits 5 s.
		if len(e) < 8 {
			return uhidEvent{}, false
		}
		kind, n := uint32(uhidGetReportReply), 4+4+2+2
		if ev.kind == uhidSetReport {
			kind, n = uhidSetReportReply, 4+4+2
		}
		ev.reply = make([]byte, n)
		order.PutUint32(ev.reply, kind)
		copy(ev.reply[4:8], e[4:8]) // the request's id
		order.PutUint16(ev.reply[8:], errnoEIO)
	}
	return ev, true
}
