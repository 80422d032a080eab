package fido

import (
	"context"
	"encoding/binary"
	"fmt"
	"time"
)

// Traced passes everything on to bus, and shows the beginning of each message
// to and from its keys to show, which is called from many goroutines: the
// command, its length, and the one octet that names a CTAP command or status.
// Bodies, which may hold a PIN or a token, are never shown.
func Traced(bus Bus, show func(node Node, message string)) Bus { return tracedBus{bus, show} }

type tracedBus struct {
	Bus
	show func(Node, string)
}

func (b tracedBus) Open(ctx context.Context, node Node) (Link, error) {
	link, err := b.Bus.Open(ctx, node)
	if err != nil {
		return nil, err
	}
	return tracedLink{link, node, b.show}, nil
}

type tracedLink struct {
	Link
	node Node
	show func(Node, string)
}

func (l tracedLink) ReadReport(p []byte, deadline time.Time) error {
	err := l.Link.ReadReport(p, deadline)
	if err == nil {
		l.tell("from", p)
	}
	return err
}

func (l tracedLink) WriteReport(p []byte) error {
	l.tell("to", p)
	return l.Link.WriteReport(p)
}

// tell shows an initialization packet; a continuation packet says nothing that
// may be shown.
func (l tracedLink) tell(direction string, report []byte) {
	if len(report) < ReportSize || report[4]&initBit == 0 {
		return
	}
	command := Command(report[4] &^ initBit)
	text := fmt.Sprintf("%s %08x %s, %d octets", direction, binary.BigEndian.Uint32(report), command, binary.BigEndian.Uint16(report[5:]))
	if command == CTAPHID_CBOR || command == CTAPHID_ERROR || command == CTAPHID_KEEPALIVE {
		text += fmt.Sprintf(", %02x", report[7])
	}
	l.show(l.node, text)
}
