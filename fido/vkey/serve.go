package vkey

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
)

// outbox holds the reports of a key that a device did not take yet.
type outbox struct {
	mu    sync.Mutex
	queue []report
	wake  chan struct{} // holds a token while there are some
}

func newOutbox() *outbox { return &outbox{wake: make(chan struct{}, 1)} }

func (o *outbox) push(r report) {
	o.mu.Lock()
	o.queue = append(o.queue, r)
	o.mu.Unlock()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

func (o *outbox) take() []report {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := o.queue
	o.queue = nil
	return all
}

// Serve plugs a key into a device that carries one report with each read and
// each write, such as the gadget's side of a USB HID function (/dev/hidg0 on
// Linux), until ctx ends (nil) or the device fails. It closes the device,
// which must end a blocked read and write.
func Serve(ctx context.Context, k *Key, device io.ReadWriteCloser) error {
	out := newOutbox()
	p, err := k.powerUp(out.push)
	if err != nil {
		return errors.Join(err, device.Close())
	}
	ctx, cancel := context.WithCancelCause(ctx)
	closed := make(chan struct{})
	context.AfterFunc(ctx, func() {
		_ = device.Close() // what ended it is told
		close(closed)
	})
	var work sync.WaitGroup
	work.Go(func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-out.wake:
			}
			for _, r := range out.take() {
				if _, err := device.Write(r[:]); err != nil {
					cancel(fmt.Errorf("vkey: write a report: %w", err))
					return
				}
			}
		}
	})
	octets := make([]byte, 2*len(report{}))
	for {
		n, err := device.Read(octets)
		if err != nil {
			cancel(fmt.Errorf("vkey: read a report: %w", err))
			break
		}
		if err := p.write(octets[:n]); err != nil {
			break // cannot be: the power is ours
		}
	}
	p.cut()
	work.Wait()
	<-closed
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) && !errors.Is(cause, context.DeadlineExceeded) {
		return cause
	}
	return nil
}
