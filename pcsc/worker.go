package pcsc

import "time"

// The calls that a worker makes, as the specification names them.
const (
	opEstablish    = "SCardEstablishContext"
	opStatusChange = "SCardGetStatusChange"
	opConnect      = "SCardConnect"
	opBegin        = "SCardBeginTransaction"
	opEnd          = "SCardEndTransaction"
	opTransmit     = "SCardTransmit"
	opAttribute    = "SCardGetAttrib"
	opDisconnect   = "SCardDisconnect"
	opRelease      = "SCardReleaseContext"
)

// worker owns one PC/SC context and the card on it. It lives in the goroutine
// of [Conn.work] and nowhere else.
type worker struct {
	c        *Conn
	pc       Context
	card     Handle
	transact int  // transactions begun and not ended
	late     bool // a deadline was missed: nobody waits, all is to be undone
}

// work connects, makes calls until it has to let go, and lets go.
func (c *Conn) work(share ShareMode, protocols Protocol, ready chan<- error) {
	w := &worker{c: c}
	defer func() {
		w.letGo()
		c.home.left(c)
		close(c.ended)
	}()
	if err := w.connect(share, protocols); err != nil {
		w.letGo() // before the caller may try again
		ready <- err
		return
	}
	if w.late {
		return
	}
	c.protocol = w.card.Protocol()
	ready <- nil
	for {
		select {
		case <-c.closing:
			return
		case call := <-c.calls:
			var r reply
			w.timed(call.op, func() { r.answer, r.err = call.do(w.card) })
			if r.err == nil && call.op == opBegin {
				w.transact++
			}
			if r.err == nil && call.op == opEnd {
				w.transact--
			}
			if w.late {
				clear(r.answer) // its caller was told that it hung
				return
			}
			call.reply <- r
		}
	}
}

func (w *worker) connect(share ShareMode, protocols Protocol) (err error) {
	w.timed(opEstablish, func() { w.pc, err = w.c.home.system.Establish() })
	if err != nil || w.late {
		return err
	}
	w.timed(opConnect, func() { w.card, err = w.pc.Connect(w.c.reader, share, protocols) })
	return err
}

// letGo gives the card back, as it is unless a reset was asked for. Every step
// is tried: a context released with a card still connected resets the card.
func (w *worker) letGo() {
	for ; w.transact > 0; w.transact-- {
		w.timed(opEnd, func() { _ = w.card.EndTransaction(LeaveCard) })
	}
	if card := w.card; card != nil {
		w.card = nil
		if w.toReset() {
			w.timed(opDisconnect, func() { w.c.resetErr = card.Disconnect(ResetCard) })
		} else {
			w.timed(opDisconnect, func() { _ = card.Disconnect(LeaveCard) })
		}
	}
	if pc := w.pc; pc != nil {
		w.pc = nil
		w.timed(opRelease, func() { _ = pc.Release() })
	}
}

// toReset is whether the card is to be reset. Who was told that the card hung
// was not told of a reset.
func (w *worker) toReset() bool {
	select {
	case <-w.c.closing:
		return w.c.reset && !w.late
	default:
		return false
	}
}

// timed makes one call, and has the worker given up once that took too long.
func (w *worker) timed(op string, call func()) {
	if w.late {
		call()
		return
	}
	timer := time.AfterFunc(w.c.home.opts.Deadline, func() { w.c.giveUp(op) })
	call()
	if !timer.Stop() {
		<-w.c.gaveUp
		w.late = true
	}
}

// giveUp tells everybody that the worker missed its deadline.
func (c *Conn) giveUp(op string) {
	if op == opBegin {
		// It waits for another program, not for the card.
		c.hung = &Error{Op: op, Code: SCARD_E_SHARING_VIOLATION}
	} else {
		c.hung = &HungError{Reader: c.reader, Op: op, After: c.home.opts.Deadline}
	}
	c.home.gaveUp(c, c.hung)
	close(c.gaveUp)
}
