package vcard

import (
	"bytes"

	"authbridge/pcsc"
)

// handle is a SCARDHANDLE. The bench's mutex guards it.
type handle struct {
	c         *benchContext
	r         *reader
	plugs     int
	inserted  int
	resets    int
	protocol  pcsc.Protocol
	exclusive bool
	closed    bool
	saidGone  bool
}

// check says why the handle cannot be used (any more).
func (h *handle) check() pcsc.Code {
	if code := h.c.check(); code != 0 {
		return code
	}
	switch {
	case h.closed:
		return pcsc.SCARD_E_INVALID_HANDLE
	case h.r.plugs != h.plugs:
		if h.saidGone {
			return pcsc.SCARD_E_INVALID_VALUE
		}
		h.saidGone = true
		return pcsc.SCARD_E_READER_UNAVAILABLE
	case h.r.inserted != h.inserted:
		return pcsc.SCARD_W_REMOVED_CARD
	case h.r.resets != h.resets:
		return pcsc.SCARD_W_RESET_CARD
	}
	return 0
}

// mine reports whether no other handle holds the transaction.
func (h *handle) mine() bool { return h.r.owner == nil || h.r.owner == h }

func (h *handle) Protocol() pcsc.Protocol { return h.protocol }

func (h *handle) Transmit(command []byte) ([]byte, error) {
	const op = "SCardTransmit"
	defer h.c.begin()()
	code := h.c.await(h.check, func() bool { return h.mine() && !h.r.busy })
	switch {
	case code != 0:
	case len(command) == 0:
		code = pcsc.SCARD_E_INVALID_PARAMETER
	case h.protocol == pcsc.ProtocolUndefined:
		code = pcsc.SCARD_E_PROTO_MISMATCH
	case !h.r.powered:
		code = pcsc.SCARD_W_UNPOWERED_CARD
	}
	if code != 0 {
		return nil, failed(op, code)
	}
	answer, answered := h.exchange(command)
	switch {
	case h.c.check() != 0:
		return nil, failed(op, pcsc.SCARD_F_COMM_ERROR)
	case h.r.inserted != h.inserted:
		return nil, nil // pcscd's trap: success, and no answer
	case h.check() != 0:
		return nil, failed(op, h.check())
	case !answered:
		return nil, failed(op, pcsc.SCARD_E_NOT_TRANSACTED)
	}
	return answer, nil
}

// exchange has the card answer, with the bench unlocked.
func (h *handle) exchange(command []byte) (answer []byte, ok bool) {
	b, r, card, io := h.c.b, h.r, h.r.card, h.r.io
	pulled := false
	if r.pull > 0 {
		r.pull--
		pulled = r.pull == 0
	}
	r.busy = true
	b.mu.Unlock()
	pulled = card.pulledIn(command) || pulled
	answer, err := card.Transmit(io, command)
	b.mu.Lock()
	r.busy = false
	// Another hand may have been quicker.
	if pulled && r.inserted == h.inserted && r.card == card {
		b.release(r)
		b.announce()
	}
	b.wake()
	return answer, err == nil
}

func (h *handle) BeginTransaction() error {
	const op = "SCardBeginTransaction"
	defer h.c.begin()()
	if code := h.c.await(h.check, h.mine); code != 0 {
		return failed(op, code)
	}
	h.r.owner = h
	h.r.depth++
	return nil
}

func (h *handle) EndTransaction(d pcsc.Disposition) error {
	const op = "SCardEndTransaction"
	defer h.c.begin()()
	code := h.check()
	switch {
	case code != 0:
	case h.r.owner == nil:
		code = pcsc.SCARD_E_NOT_TRANSACTED
	case h.r.owner != h:
		code = pcsc.SCARD_E_SHARING_VIOLATION
	}
	if code != 0 {
		return failed(op, code)
	}
	h.dispose(d)
	h.r.depth--
	if h.r.depth == 0 {
		h.r.owner = nil
	}
	h.c.b.wake()
	return nil
}

func (h *handle) Attribute(id pcsc.Attribute) ([]byte, error) {
	const op = "SCardGetAttrib"
	defer h.c.begin()()
	code := h.c.check()
	switch {
	case code != 0:
	case h.closed:
		code = pcsc.SCARD_E_INVALID_HANDLE
	case h.r.plugs != h.plugs:
		code = pcsc.SCARD_E_READER_UNAVAILABLE
	case id == pcsc.AttributeVendorName:
		return []byte("authbridge virtual"), nil
	case id == pcsc.AttributeATR && h.r.atr != nil:
		return bytes.Clone(h.r.atr), nil
	default:
		code = pcsc.SCARD_E_UNSUPPORTED_FEATURE
	}
	return nil, failed(op, code)
}

func (h *handle) Disconnect(d pcsc.Disposition) error {
	const op = "SCardDisconnect"
	defer h.c.begin()()
	if code := h.c.check(); code != 0 {
		return failed(op, code)
	}
	if h.closed {
		return failed(op, pcsc.SCARD_E_INVALID_HANDLE)
	}
	if d != pcsc.LeaveCard {
		// A reset waits for the exchange of another program to end.
		_ = h.c.await(h.check, func() bool { return !h.r.busy || !h.mine() })
	}
	h.leave(d)
	return nil
}

// leave gives the card back to the others. It is for a handle that is not
// closed; the reader may be gone.
func (h *handle) leave(d pcsc.Disposition) {
	if h.check() == 0 {
		h.dispose(d)
	}
	h.closed = true
	delete(h.c.handles, h)
	r := h.r
	if h.c.check() == 0 && r.plugs == h.plugs {
		r.handles--
		if h.exclusive {
			r.exclusive = false
		}
		if r.owner == h {
			r.owner, r.depth = nil, 0
		}
	}
	h.c.b.wake()
}

// dispose does with the card what the caller wants. In another's transaction
// it is left alone.
func (h *handle) dispose(d pcsc.Disposition) {
	r := h.r
	if d == pcsc.LeaveCard || r.card == nil || !h.mine() {
		return
	}
	if d == pcsc.ResetCard {
		if err := h.c.b.restart(r, true); err != nil {
			return
		}
	} else {
		h.c.b.powerOff(r)
		r.resets++
	}
	h.resets = r.resets
	r.protocol = h.protocol
}
