package vcard

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// VPCDAddr is where vsmartcard's vpcd driver listens for the card of its first
// reader, unless its configuration says otherwise.
const VPCDAddr = "127.0.0.1:35963"

// Messages of vpcd with one octet (vsmartcard, virtualsmartcard/src/vpcd). All
// others are command APDUs.
const (
	vpcdOff   = 0
	vpcdOn    = 1
	vpcdReset = 2
	vpcdATR   = 4
)

// Waits between attempts to reach a pcscd that went away.
const (
	redialFirst = 50 * time.Millisecond
	redialMost  = time.Second
)

// Plug is a card in a reader of a real pcscd.
type Plug struct {
	card *Card
	addr string
	stop context.CancelFunc
	done chan struct{}
	pull atomic.Int64

	mu    sync.Mutex // guards the rest
	seen  bool       // pcscd has spoken on this connection
	watch chan struct{}
}

// PlugVPCD inserts a card into the reader whose vpcd listens on addr, and keeps
// it there, over restarts of pcscd, until ctx ends or Close. It fails if
// nothing listens there now. With a card in the reader already, pcscd takes
// this one once that is pulled: [Plug.Seen] tells.
//
// A card that is to answer with 0 octets ([FaultEmpty]) hangs pcscd's reader
// until the card is pulled, as it would with any card on vpcd.
func PlugVPCD(ctx context.Context, addr string, card *Card) (*Plug, error) {
	if !card.take() {
		return nil, fmt.Errorf("plug into vpcd: %w", ErrElsewhere)
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
	if err != nil {
		card.give()
		return nil, fmt.Errorf("plug into vpcd: %w", err)
	}
	ctx, stop := context.WithCancel(ctx)
	p := &Plug{card: card, addr: addr, stop: stop, done: make(chan struct{}), watch: make(chan struct{})}
	go p.run(ctx, conn)
	return p, nil
}

// Close pulls the card and waits until nothing of the plug is left.
func (p *Plug) Close() error {
	p.stop()
	<-p.done
	return nil
}

// Done is closed when the card is out of the reader for good.
func (p *Plug) Done() <-chan struct{} { return p.done }

// Seen waits until pcscd has noticed the card.
func (p *Plug) Seen(ctx context.Context) error {
	for {
		p.mu.Lock()
		seen, watch := p.seen, p.watch
		p.mu.Unlock()
		if seen {
			return nil
		}
		select {
		case <-watch:
		case <-p.done:
			return net.ErrClosed
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// Connected reports whether a pcscd has the card now.
func (p *Plug) Connected() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// PullDuring pulls the card, for good, during the n-th APDU from now: the card
// gets it, nobody gets its answer.
func (p *Plug) PullDuring(n int) { p.pull.Store(int64(n)) }

func (p *Plug) run(ctx context.Context, conn net.Conn) {
	defer close(p.done)
	defer p.card.give()
	defer p.stop()
	for conn != nil {
		pulled := p.serve(ctx, conn)
		p.card.PowerOff()
		p.see(false)
		if pulled {
			return
		}
		conn = p.redial(ctx)
	}
}

// redial waits for a pcscd to come back. It returns nil when ctx ends.
func (p *Plug) redial(ctx context.Context) net.Conn {
	wait := time.NewTimer(redialFirst)
	defer wait.Stop()
	for pause := redialFirst; ; pause = min(2*pause, redialMost) {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.addr)
		if err == nil {
			return conn
		}
		wait.Reset(pause)
	}
}

func (p *Plug) see(seen bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.seen == seen {
		return
	}
	p.seen = seen
	close(p.watch)
	p.watch = make(chan struct{})
}

var errPulled = errors.New("the card was pulled")

// serve answers on one connection until it breaks, ctx ends or the card is
// pulled. Messages are read by another goroutine, so that a card that never
// answers still notices the end.
func (p *Plug) serve(ctx context.Context, conn net.Conn) (pulled bool) {
	ctx, broken := context.WithCancelCause(ctx)
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	messages := make(chan []byte)
	var reader sync.WaitGroup
	reader.Go(func() {
		broken(receive(ctx, conn, messages))
	})
	defer reader.Wait()
	// Not left to AfterFunc alone: stop may be quicker than it.
	defer func() { _ = conn.Close() }()
	defer stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case message := <-messages:
			p.see(true)
			answer, err := p.answer(ctx, message)
			if err == nil && answer != nil {
				err = send(conn, answer)
			}
			if err != nil {
				broken(err)
				return errors.Is(err, errPulled)
			}
		}
	}
}

// answer is nil for messages that have none.
func (p *Plug) answer(ctx context.Context, message []byte) ([]byte, error) {
	if len(message) > 1 {
		pulled := p.pull.Load() > 0 && p.pull.Add(-1) == 0 || p.card.pulledIn(message)
		answer, err := p.card.Transmit(ctx, message)
		if pulled {
			return nil, errPulled
		}
		if answer == nil {
			answer = []byte{}
		}
		if errors.Is(err, ErrUnpowered) {
			// pcscd never does that; it must get some answer all the same.
			return statusOnly(swConditionsNotSatisfied), nil
		}
		return answer, err
	}
	switch message[0] {
	case vpcdOff:
		p.card.PowerOff()
	case vpcdOn:
		p.card.PowerOn()
	case vpcdReset:
		p.card.Reset()
	case vpcdATR:
		// vpcd has no word for a card without ATR, and hangs at 0 octets.
		if atr := p.card.ATR(); atr != nil {
			return atr, nil
		}
		return []byte{0}, nil
	}
	return nil, nil
}

// receive reads messages until the connection breaks: two octets of length,
// most significant first, and the body.
func receive(ctx context.Context, conn net.Conn, messages chan<- []byte) error {
	in := bufio.NewReader(quickReader{conn})
	for {
		var length [2]byte
		if _, err := io.ReadFull(in, length[:]); err != nil {
			return err
		}
		message := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(in, message); err != nil {
			return err
		}
		if len(message) == 0 {
			continue
		}
		select {
		case messages <- message:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func send(conn net.Conn, answer []byte) error {
	frame := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(answer)), uint16(len(answer)))
	_, err := conn.Write(append(frame, answer...))
	return err
}

// quickReader acknowledges at once what it reads. vpcd sends a message in two
// pieces and waits (Nagle) for the first to be acknowledged before it sends
// the second; the delayed ACK of TCP makes that 44 ms an APDU.
type quickReader struct{ net.Conn }

func (r quickReader) Read(p []byte) (int, error) {
	n, err := r.Conn.Read(p)
	if err == nil {
		quickACK(r.Conn)
	}
	return n, err
}
