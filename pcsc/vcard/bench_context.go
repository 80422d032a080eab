package vcard

import (
	"sync"
	"time"

	"authbridge/pcsc"
)

// Establish opens a context, as [pcsc.System] wants.
func (b *Bench) Establish() (pcsc.Context, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.running {
		return nil, failed("SCardEstablishContext", pcsc.SCARD_E_NO_SERVICE)
	}
	return &benchContext{b: b, epoch: b.epoch}, nil
}

func failed(op string, code pcsc.Code) error { return &pcsc.Error{Op: op, Code: code} }

// benchContext is a SCARDCONTEXT.
type benchContext struct {
	b     *Bench
	epoch int
	// call is held for the whole of each call but Cancel, an exchange with a
	// card that never answers included, because that is what pcsc-lite does:
	// whoever touches a context whose card hangs must see it hang.
	call sync.Mutex
	// The bench's mutex guards the rest.
	released  bool
	handles   map[*handle]struct{}
	cancelled chan struct{} // not nil while GetStatusChange waits
}

// check says why the context cannot be used. The bench is locked.
func (c *benchContext) check() pcsc.Code {
	switch {
	case c.released:
		return pcsc.SCARD_E_INVALID_HANDLE
	case !c.b.running, c.epoch != c.b.epoch:
		return pcsc.SCARD_E_NO_SERVICE
	}
	return 0
}

// begin locks the context and the bench for one call.
func (c *benchContext) begin() (end func()) {
	c.call.Lock()
	c.b.mu.Lock()
	return func() {
		c.b.mu.Unlock()
		c.call.Unlock()
	}
}

// await lets others go on until free, in between calls of which the bench is
// unlocked. It says what check says, as soon as that is something.
func (c *benchContext) await(check func() pcsc.Code, free func() bool) pcsc.Code {
	for {
		if code := check(); code != 0 {
			return code
		}
		if free() {
			return 0
		}
		changed := c.b.changed
		c.b.mu.Unlock()
		<-changed
		c.b.mu.Lock()
	}
}

func (c *benchContext) ListReaders() ([]string, error) {
	defer c.begin()()
	if code := c.check(); code != 0 {
		return nil, failed("SCardListReaders", code)
	}
	var names []string
	for _, r := range c.b.readers {
		if !r.unplugged {
			names = append(names, r.name)
		}
	}
	return names, nil
}

func (c *benchContext) GetStatusChange(states []pcsc.ReaderState, timeout time.Duration) error {
	const op = "SCardGetStatusChange"
	defer c.begin()()
	if len(states) == 0 || len(states) > maxStates {
		return failed(op, pcsc.SCARD_E_INVALID_PARAMETER)
	}
	if code := c.check(); code != 0 {
		return failed(op, code)
	}
	var expired <-chan time.Time
	if timeout >= 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	plugged := c.b.plugged
	for first := true; ; first = false {
		changed, code := c.b.observe(states, plugged, first)
		if code != 0 {
			return failed(op, code)
		}
		if changed {
			return nil
		}
		if timeout == 0 {
			return failed(op, pcsc.SCARD_E_TIMEOUT)
		}
		events, cancelled := c.b.events, make(chan struct{})
		c.cancelled = cancelled
		c.b.mu.Unlock()
		select {
		case <-events:
		case <-cancelled:
			code = pcsc.SCARD_E_CANCELLED
		case <-expired:
			code = pcsc.SCARD_E_TIMEOUT
		}
		c.b.mu.Lock()
		c.cancelled = nil
		if code == 0 && c.check() != 0 {
			code = pcsc.SCARD_F_COMM_ERROR // the connection to the service broke
		}
		if code != 0 {
			return failed(op, code)
		}
	}
}

// Cancel ends the wait of this context. One that has not begun is not ended,
// and an exchange with a card is not ended either.
func (c *benchContext) Cancel() error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	if code := c.check(); code != 0 {
		return failed("SCardCancel", code)
	}
	if c.cancelled != nil {
		close(c.cancelled)
		c.cancelled = nil
	}
	return nil
}

// Release ends the context. pcscd resets the cards that its handles leave.
func (c *benchContext) Release() error {
	defer c.begin()()
	code := c.check()
	for h := range c.handles {
		h.leave(pcsc.ResetCard)
	}
	c.released = true
	if code != 0 {
		return failed("SCardReleaseContext", code)
	}
	return nil
}

func (c *benchContext) Connect(name string, share pcsc.ShareMode, protocols pcsc.Protocol) (pcsc.Handle, error) {
	const op = "SCardConnect"
	defer c.begin()()
	if code := c.check(); code != 0 {
		return nil, failed(op, code)
	}
	direct := share == pcsc.ShareDirect
	switch {
	case share < pcsc.ShareExclusive || share > pcsc.ShareDirect:
		return nil, failed(op, pcsc.SCARD_E_INVALID_VALUE)
	case !direct && protocols&pcsc.ProtocolAny == 0:
		return nil, failed(op, pcsc.SCARD_E_PROTO_MISMATCH)
	}
	r := c.b.find(name)
	if r == nil {
		return nil, failed(op, pcsc.SCARD_E_UNKNOWN_READER)
	}
	plugs := r.plugs
	code := c.await(func() pcsc.Code {
		switch code := c.check(); {
		case code != 0:
			return pcsc.SCARD_F_COMM_ERROR
		case r.plugs != plugs:
			return pcsc.SCARD_E_READER_UNAVAILABLE
		case r.exclusive, share == pcsc.ShareExclusive && r.handles > 0:
			return pcsc.SCARD_E_SHARING_VIOLATION
		}
		return 0
	}, func() bool { return r.owner == nil && !r.busy })
	if code == 0 && !direct {
		code = c.b.contact(r, protocols)
	}
	if code != 0 {
		return nil, failed(op, code)
	}
	h := &handle{c: c, r: r, plugs: r.plugs, inserted: r.inserted, resets: r.resets, protocol: r.protocol, exclusive: share == pcsc.ShareExclusive}
	if direct {
		h.protocol = protocols & r.protocol
	}
	if h.exclusive {
		r.exclusive, r.owner, r.depth = true, h, 1
	}
	r.handles++
	if c.handles == nil {
		c.handles = make(map[*handle]struct{})
	}
	c.handles[h] = struct{}{}
	c.b.wake()
	return h, nil
}

// contact powers the card and settles the protocol.
func (b *Bench) contact(r *reader, protocols pcsc.Protocol) pcsc.Code {
	if r.card == nil {
		return pcsc.SCARD_E_NO_SMARTCARD
	}
	if !r.powered {
		b.powerOff(r)
		b.powerOn(r)
	}
	if !r.powered {
		return pcsc.SCARD_W_UNPOWERED_CARD
	}
	if r.card.Protocol()&protocols == 0 {
		return pcsc.SCARD_E_PROTO_MISMATCH
	}
	r.protocol = r.card.Protocol()
	return 0
}
