package fido

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/go-ctap/ctaphid/pkg/ctap"
	"github.com/go-ctap/ctaphid/pkg/ctaphid"
	"github.com/go-ctap/ctaphid/pkg/ctaptypes"
	"github.com/go-ctap/ctaphid/pkg/options"
)

// port is the device that the ctaphid library believes to have. The library
// makes the messages; it never meets a key: its packets are put together here,
// sent by our own exchange, and it is given the answer only once that is whole,
// well framed, on our channel, with CTAP2_OK and well-formed CBOR in it. As it
// reads with panics at whatever else a key may say, that is its door.
type port struct {
	cid      uint32
	exchange func(message) ([]byte, error)

	assembly assembly
	request  *message
	packets  []packet // of the answer, for the library to read
	answer   []byte   // the answer's CBOR
	err      error    // why there is none
}

// Write takes one packet: the report number 0, then the packet without
// padding.
func (p *port) Write(b []byte) (int, error) {
	var frame packet
	if len(b) < 1+7-2 || len(b) > 1+ReportSize || b[0] != 0 {
		return 0, fmt.Errorf("fido: the library wrote %d octets, which are no report", len(b))
	}
	copy(frame[:], b[1:])
	if p.request != nil || frame.cid() != p.cid {
		return 0, errors.New("fido: the library wrote out of turn")
	}
	m, err := p.assembly.add(&frame)
	if err != nil {
		return 0, err
	}
	p.request = m
	return len(b), nil
}

// Read gives one packet of the answer.
func (p *port) Read(b []byte) (int, error) {
	if len(b) < ReportSize {
		return 0, io.ErrShortBuffer
	}
	if p.request != nil && p.packets == nil && p.err == nil {
		p.packets, p.err = p.ask()
	}
	if p.err != nil {
		return 0, p.err
	}
	if len(p.packets) == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	n := copy(b, p.packets[0][:])
	p.packets = p.packets[1:]
	return n, nil
}

func (p *port) ask() ([]packet, error) {
	if p.request.cmd != CTAPHID_CBOR || len(p.request.data) == 0 {
		return nil, fmt.Errorf("fido: the library sends %s", p.request.cmd)
	}
	data, err := p.exchange(*p.request)
	if err != nil {
		return nil, err
	}
	if status := Status(data[0]); status != CTAP2_OK {
		return nil, &StatusError{p.request.data[0], status}
	}
	if len(data) > 1 {
		if err := wellFormed(data[1:]); err != nil {
			return nil, err
		}
	}
	p.answer = data[1:]
	return packets(p.cid, message{CTAPHID_CBOR, data}), nil
}

// wire is what the library needs for one command.
type wire struct {
	*port
	id     ctaphid.ChannelID
	client *ctap.Client
}

// library makes ready one command of the library.
func (c *channel) library(ctx context.Context, t tempo, keepalive func(Keepalive)) wire {
	p := &port{cid: c.cid, exchange: func(m message) ([]byte, error) { return c.exchange(ctx, m, t, keepalive) }}
	cid := c.cid
	// By default it writes requests and answers into the program's log.
	client := ctap.NewClient(options.WithLogger(slog.New(slog.DiscardHandler)))
	return wire{p, ctaphid.ChannelID{byte(cid >> 24), byte(cid >> 16), byte(cid >> 8), byte(cid)}, client}
}

// result is the answer's CBOR. What the library made of it does not count: it
// cannot tell a member that is missing from one that is zero, and refuses what
// CTAP 2.2 allows in getInfo.
func (w wire) result(err error) ([]byte, error) {
	switch {
	case w.err != nil:
		return nil, w.err
	case w.answer != nil:
		return w.answer, nil
	case err == nil:
		err = errors.New("fido: the library asked nothing")
	}
	return nil, err
}

// getInfo sends authenticatorGetInfo (CTAP 2.1, 6.4).
func (c *channel) getInfo(ctx context.Context) ([]byte, error) {
	w := c.library(ctx, quick, nil)
	_, err := ctaphid.CBOR(w, w.id, []byte{byte(ctaptypes.AuthenticatorGetInfo)})
	return w.result(err)
}

// getPINRetries sends authenticatorClientPIN getPINRetries (CTAP 2.1,
// 6.5.5.2). Some keys insist on a PIN protocol, which CTAP 2.0 wanted there.
func (c *channel) getPINRetries(ctx context.Context, protocol uint) ([]byte, error) {
	w := c.library(ctx, quick, nil)
	_, _, err := w.client.GetPINRetries(w, w.id, ctaptypes.PinUvAuthProtocol(protocol))
	return w.result(err)
}

// getUVRetries sends authenticatorClientPIN getUVRetries (CTAP 2.1, 6.5.5.3).
func (c *channel) getUVRetries(ctx context.Context) ([]byte, error) {
	w := c.library(ctx, quick, nil)
	_, err := w.client.GetUVRetries(w, w.id)
	return w.result(err)
}

// selection sends authenticatorSelection (CTAP 2.1, 6.9), which waits for a
// touch.
func (c *channel) selection(ctx context.Context, t tempo, keepalive func(Keepalive)) error {
	w := c.library(ctx, t, keepalive)
	_, err := w.result(w.client.Selection(w, w.id))
	return err
}
