package fido_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"sync"
	"time"

	"authbridge/fido"
)

// doctored is a bus whose keys' answers are changed on their way, message by
// message, and whose requests are looked at.
type doctored struct {
	fido.Bus
	change func(cmd byte, answer []byte) []byte
	sent   func(cmd byte, request []byte)
}

// older takes options away from what a key says of itself, so that it passes
// for one from before them.
func older(b fido.Bus, options ...string) *doctored {
	return &doctored{Bus: b, change: func(_ byte, answer []byte) []byte {
		for _, o := range options {
			gone := append([]byte{}, o...)
			gone[len(gone)-1] = '-'
			answer = bytes.Replace(answer, append([]byte{0x60 | byte(len(o))}, o...), append([]byte{0x60 | byte(len(o))}, gone...), 1)
		}
		return answer
	}}
}

func (d *doctored) Open(ctx context.Context, node fido.Node) (fido.Link, error) {
	l, err := d.Bus.Open(ctx, node)
	if err != nil {
		return nil, err
	}
	return &doctoredLink{Link: l, bus: d}, nil
}

type doctoredLink struct {
	fido.Link
	bus *doctored

	mu    sync.Mutex
	queue [][]byte
	out   []byte // a request that is not whole yet
	want  int
}

func (l *doctoredLink) WriteReport(p []byte) error {
	l.mu.Lock()
	if p[4]&0x80 != 0 {
		l.want = int(binary.BigEndian.Uint16(p[5:]))
		l.out = append([]byte{p[4] &^ 0x80}, p[7:]...)
	} else {
		l.out = append(l.out, p[5:]...)
	}
	if len(l.out) > l.want && l.bus.sent != nil {
		l.bus.sent(l.out[0], bytes.Clone(l.out[1:1+l.want]))
	}
	l.mu.Unlock()
	return l.Link.WriteReport(p)
}

func (l *doctoredLink) ReadReport(p []byte, deadline time.Time) error {
	if len(l.queue) > 0 {
		copy(p, l.queue[0])
		l.queue = l.queue[1:]
		return nil
	}
	if err := l.Link.ReadReport(p, deadline); err != nil || l.bus.change == nil || p[4] != 0x90 {
		return err
	}
	head := bytes.Clone(p[:5])
	want := int(binary.BigEndian.Uint16(p[5:]))
	data := bytes.Clone(p[7:])
	for len(data) < want {
		if err := l.Link.ReadReport(p, deadline); err != nil {
			return err
		}
		data = append(data, p[5:]...)
	}
	data = l.bus.change(head[4]&^0x80, data[:want])
	r := make([]byte, fido.ReportSize)
	copy(r, head)
	binary.BigEndian.PutUint16(r[5:], uint16(len(data)))
	n := copy(r[7:], data)
	l.queue = [][]byte{r}
	for seq := byte(0); n < len(data); seq++ {
		r = make([]byte, fido.ReportSize)
		copy(r, head[:4])
		r[4] = seq
		n += copy(r[5:], data[n:])
		l.queue = append(l.queue, r)
	}
	return l.ReadReport(p, deadline)
}
