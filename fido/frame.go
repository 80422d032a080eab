package fido

import (
	"encoding/binary"
	"fmt"
)

// Command is a CTAPHID command (CTAP 2.1, 11.2.9), without the bit that marks
// an initialization packet.
type Command byte

// The CTAPHID commands.
const (
	CTAPHID_PING      Command = 0x01
	CTAPHID_MSG       Command = 0x03
	CTAPHID_LOCK      Command = 0x04
	CTAPHID_INIT      Command = 0x06
	CTAPHID_WINK      Command = 0x08
	CTAPHID_CBOR      Command = 0x10
	CTAPHID_CANCEL    Command = 0x11
	CTAPHID_KEEPALIVE Command = 0x3b
	CTAPHID_ERROR     Command = 0x3f
)

// String is the command's name in the specification.
func (c Command) String() string {
	switch c {
	case CTAPHID_PING:
		return "CTAPHID_PING"
	case CTAPHID_MSG:
		return "CTAPHID_MSG"
	case CTAPHID_LOCK:
		return "CTAPHID_LOCK"
	case CTAPHID_INIT:
		return "CTAPHID_INIT"
	case CTAPHID_WINK:
		return "CTAPHID_WINK"
	case CTAPHID_CBOR:
		return "CTAPHID_CBOR"
	case CTAPHID_CANCEL:
		return "CTAPHID_CANCEL"
	case CTAPHID_KEEPALIVE:
		return "CTAPHID_KEEPALIVE"
	case CTAPHID_ERROR:
		return "CTAPHID_ERROR"
	}
	return fmt.Sprintf("CTAPHID command %#02x", byte(c))
}

const (
	broadcastCID = 0xffffffff
	initBit      = 0x80
	// initData and contData are the octets of a message in an initialization
	// and in a continuation packet (CTAP 2.1, 11.2.4).
	initData = ReportSize - 7
	contData = ReportSize - 5
	// maxMessage is the longest message: sequence numbers end at 127.
	maxMessage = initData + 128*contData
)

// packet is one CTAPHID packet: a report without its report number.
type packet [ReportSize]byte

func (p *packet) cid() uint32  { return binary.BigEndian.Uint32(p[:4]) }
func (p *packet) isInit() bool { return p[4]&initBit != 0 }

// The fields of an initialization packet.
func (p *packet) cmd() Command  { return Command(p[4] &^ initBit) }
func (p *packet) bcnt() int     { return int(binary.BigEndian.Uint16(p[5:7])) }
func (p *packet) first() []byte { return p[7:] }

// The fields of a continuation packet.
func (p *packet) seq() byte    { return p[4] }
func (p *packet) rest() []byte { return p[5:] }

// message is a whole CTAPHID message on some channel.
type message struct {
	cmd  Command
	data []byte
}

// packets cuts a message into packets; nil if it is longer than a message can
// be.
func packets(cid uint32, m message) []packet {
	if len(m.data) > maxMessage {
		return nil
	}
	var p packet
	binary.BigEndian.PutUint32(p[:], cid)
	p[4] = byte(m.cmd) | initBit
	binary.BigEndian.PutUint16(p[5:], uint16(len(m.data)))
	n := copy(p[7:], m.data)
	all := []packet{p}
	for seq := byte(0); n < len(m.data); seq++ {
		p = packet{}
		binary.BigEndian.PutUint32(p[:], cid)
		p[4] = seq
		n += copy(p[5:], m.data[n:])
		all = append(all, p)
	}
	return all
}
