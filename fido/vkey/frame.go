package vkey

import (
	"encoding/binary"

	"authbridge/fido"
)

const (
	broadcastCID = 0xffffffff
	// initData and contData are the octets of a message that fit into an
	// initialization and a continuation packet (CTAP 2.1, 11.2.4).
	initData = fido.ReportSize - 7
	contData = fido.ReportSize - 5
	// maxMessage is the longest message: 7609 octets (CTAP 2.1, 11.2.4).
	maxMessage = initData + 128*contData
)

// report is one HID report without report number.
type report [fido.ReportSize]byte

// padded makes a report of what a host wrote: with the report number 0 in
// front or without, with the padding that HID asks for or cut short, as some
// libraries do. It is false for what cannot be a packet.
func padded(p []byte) (r report, ok bool) {
	if len(p) == fido.ReportSize+1 && p[0] == 0 {
		p = p[1:]
	}
	if len(p) < 5 || len(p) > fido.ReportSize {
		return r, false
	}
	copy(r[:], p)
	return r, true
}

func (r *report) cid() uint32  { return binary.BigEndian.Uint32(r[:4]) }
func (r *report) isInit() bool { return r[4]&0x80 != 0 }

// The fields of an initialization packet.
func (r *report) cmd() byte     { return r[4] &^ 0x80 }
func (r *report) bcnt() int     { return int(binary.BigEndian.Uint16(r[5:7])) }
func (r *report) first() []byte { return r[7:] }

// The fields of a continuation packet.
func (r *report) seq() byte    { return r[4] }
func (r *report) rest() []byte { return r[5:] }

// packets cuts a message into reports.
func packets(cid uint32, cmd byte, data []byte) []report {
	var r report
	binary.BigEndian.PutUint32(r[:], cid)
	r[4] = cmd | 0x80
	binary.BigEndian.PutUint16(r[5:], uint16(len(data)))
	n := copy(r[7:], data)
	all := []report{r}
	for seq := byte(0); n < len(data); seq++ {
		r = report{}
		binary.BigEndian.PutUint32(r[:], cid)
		r[4] = seq
		n += copy(r[5:], data[n:])
		all = append(all, r)
	}
	return all
}
