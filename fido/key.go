package fido

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync"
)

// Key is an open security key. One goroutine owns it and does one thing after
// the other; all methods may be called from any goroutine at any time. Other
// programs can use the key too, but on Linux those with libfido2 wait: keep it
// open no longer than needed.
type Key struct {
	node    Node
	hello   Hello
	orders  chan order
	ctx     context.Context // ends what is under way on Close
	cancel  context.CancelFunc
	done    chan struct{}
	closing sync.Once
	err     error // of closing the link; read after done

	info *Info // the owner's
}

// Hello is what a key says to CTAPHID_INIT.
type Hello struct {
	// CBOR is whether it takes CTAP2 commands, MSG whether it takes U2F ones.
	CBOR, MSG bool
	Wink      bool
	Version   [3]byte // of the device: major, minor, build
}

type order struct {
	ctx  context.Context
	do   func(context.Context, *channel) error
	done chan<- error
}

// OpenKey opens a key and allocates a channel on it.
func OpenKey(ctx context.Context, bus Bus, node Node) (*Key, error) {
	link, err := bus.Open(ctx, node)
	if err != nil {
		return nil, err
	}
	c, err := openChannel(ctx, link)
	if err != nil {
		return nil, errors.Join(err, link.Close())
	}
	k := &Key{
		node: node, orders: make(chan order), done: make(chan struct{}),
		hello: Hello{
			CBOR: c.capabilities&CAPABILITY_CBOR != 0, MSG: c.capabilities&CAPABILITY_NMSG == 0,
			Wink: c.capabilities&CAPABILITY_WINK != 0, Version: c.version,
		},
	}
	k.ctx, k.cancel = context.WithCancel(context.Background()) //nolint:gosec // Close calls it
	go k.own(c)
	return k, nil
}

// own carries out orders until the key is closed.
func (k *Key) own(c *channel) {
	defer close(k.done)
	defer func() { k.err = c.link.Close() }()
	for {
		select {
		case <-k.ctx.Done():
			return
		case o := <-k.orders:
			ctx, cancel := context.WithCancel(o.ctx)
			stop := context.AfterFunc(k.ctx, cancel)
			err := o.do(ctx, c)
			if stop(); k.ctx.Err() != nil && errors.Is(err, context.Canceled) && o.ctx.Err() == nil {
				err = ErrClosed
			}
			cancel()
			o.done <- err
		}
	}
}

// do has the owner do something. It returns once that is over, which a context
// that ends brings about.
func (k *Key) do(ctx context.Context, what func(context.Context, *channel) error) error {
	done := make(chan error, 1)
	select {
	case k.orders <- order{ctx, what, done}:
		return <-done
	case <-k.ctx.Done():
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close cancels what is under way, closes the key and waits for both.
func (k *Key) Close() error {
	k.closing.Do(k.cancel)
	<-k.done
	return k.err
}

// Node is the key as its bus saw it.
func (k *Key) Node() Node { return k.node }

// Hello is what the key said when it was opened.
func (k *Key) Hello() Hello { return k.hello }

// Ping has the key echo data (CTAPHID_PING).
func (k *Key) Ping(ctx context.Context, data []byte) error {
	return k.do(ctx, func(ctx context.Context, c *channel) error {
		echo, err := c.exchange(ctx, message{CTAPHID_PING, data}, quick, nil)
		if err == nil && !bytes.Equal(echo, data) {
			err = &FrameError{"CTAPHID_PING came back changed"}
		}
		return err
	})
}

// Wink has the key show where it is, by a light for example (CTAPHID_WINK).
func (k *Key) Wink(ctx context.Context) error {
	if !k.hello.Wink {
		return fmt.Errorf("%w: CTAPHID_WINK", ErrUnsupported)
	}
	return k.do(ctx, func(ctx context.Context, c *channel) error {
		_, err := c.exchange(ctx, message{cmd: CTAPHID_WINK}, quick, nil)
		return err
	})
}

// Info asks the key what it is. A key that speaks U2F only is not asked; its
// one version is U2F_V2.
func (k *Key) Info(ctx context.Context) (*Info, error) {
	var info *Info
	err := k.do(ctx, func(ctx context.Context, c *channel) error {
		var err error
		info, err = k.ask(ctx, c)
		return err
	})
	return info, err
}

func (k *Key) ask(ctx context.Context, c *channel) (*Info, error) {
	switch {
	case !k.hello.CBOR && !k.hello.MSG:
		return nil, &FrameError{"the key takes neither CTAP2 nor U2F commands"}
	case !k.hello.CBOR:
		k.info = &Info{Versions: []string{"U2F_V2"}}
		return k.info, nil
	}
	data, err := c.getInfo(ctx)
	if err != nil {
		return nil, err
	}
	info, err := parseInfo(data)
	if err == nil {
		k.info = info
	}
	return info, err
}

// known is what the key said of itself, asked once.
func (k *Key) known(ctx context.Context, c *channel) (*Info, error) {
	if k.info != nil {
		return k.info, nil
	}
	return k.ask(ctx, c)
}

// ceremony has the owner do something for which the key must speak CTAP2.
func (k *Key) ceremony(ctx context.Context, what func(context.Context, *channel, *Info) error) error {
	if !k.hello.CBOR {
		return fmt.Errorf("%w: CTAPHID_CBOR", ErrUnsupported)
	}
	return k.do(ctx, func(ctx context.Context, c *channel) error {
		info, err := k.known(ctx, c)
		if err != nil {
			return err
		}
		return what(ctx, c, info)
	})
}

// Retries asks how many tries are left. It costs none of them.
func (k *Key) Retries(ctx context.Context) (*Retries, error) {
	var r *Retries
	err := k.do(ctx, func(ctx context.Context, c *channel) error {
		info, err := k.known(ctx, c)
		if err != nil {
			return err
		}
		r, err = retries(ctx, c, info)
		return err
	})
	return r, err
}

func retries(ctx context.Context, c *channel, info *Info) (*Retries, error) {
	var r Retries
	if info.Has("clientPin") {
		data, err := c.getPINRetries(ctx, info.pinProtocol())
		if err != nil {
			return nil, err
		}
		n, powerCycle, err := parseRetries(data, false)
		if err != nil {
			return nil, err
		}
		r.PIN, r.PowerCycle = &n, powerCycle
	}
	if info.Has("uv") {
		data, err := c.getUVRetries(ctx)
		var refused *StatusError
		if errors.As(err, &refused) {
			return &r, nil // CTAP 2.0 had no such subcommand
		} else if err != nil {
			return nil, err
		}
		n, _, err := parseRetries(data, true)
		if err != nil {
			return nil, err
		}
		r.UV = &n
	}
	return &r, nil
}

// Select waits until the key is touched (authenticatorSelection, CTAP 2.1,
// 6.9), so that a person can say which of several keys is meant. The callback,
// if there is one, is told what the key waits for; it must not block.
func (k *Key) Select(ctx context.Context, keepalive func(Keepalive)) error {
	return k.do(ctx, func(ctx context.Context, c *channel) error {
		return c.selection(ctx, personal, keepalive)
	})
}
