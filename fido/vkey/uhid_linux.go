package vkey

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"
)

const uhidPath = "/dev/uhid"

// UHID is a key that is plugged into the kernel.
type UHID struct {
	file  *os.File
	power *power
	out   *outbox
	end   chan struct{} // closed to begin the end
	done  chan struct{} // closed when all is over
	once  sync.Once

	mu  sync.Mutex
	err error
}

// PlugUHID plugs a key into the kernel, which makes a hidraw node of it, until
// ctx ends or Unplug is called. When it returns, the kernel has the device;
// udev may still be at work on the node.
func PlugUHID(ctx context.Context, k *Key) (*UHID, error) { return plugInto(ctx, k, uhidPath) }

func plugInto(ctx context.Context, k *Key, path string) (*UHID, error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w: %s is missing (load the kernel's module uhid)", ErrNoUHID, path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%w: this process may not open %s, which is root's by default", ErrNoUHID, path)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoUHID, err)
	}
	u := &UHID{file: file, out: newOutbox(), end: make(chan struct{}), done: make(chan struct{})}
	if u.power, err = k.powerUp(u.out.push); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if _, err := file.Write(uhidCreate(k)); err != nil {
		u.power.cut()
		return nil, errors.Join(fmt.Errorf("vkey: create the device: %w", err), file.Close())
	}
	started := make(chan struct{})
	var work sync.WaitGroup
	work.Go(func() { u.receive(started) })
	work.Go(u.transmit)
	leave := context.AfterFunc(ctx, func() { u.stop(nil) })
	go func() {
		work.Wait()
		leave()
		close(u.done)
	}()
	select {
	case <-started:
		return u, nil
	case <-u.done:
		return nil, errors.Join(errors.New("vkey: the kernel did not start the device"), u.Err(), ctx.Err())
	}
}

// Unplug pulls the key out and waits until the kernel has no more of it.
func (u *UHID) Unplug() error {
	u.stop(nil)
	<-u.done
	return u.Err()
}

// Done is closed when the key is unplugged, by whatever cause.
func (u *UHID) Done() <-chan struct{} { return u.done }

// Err is why the key was unplugged; nil if that was asked for.
func (u *UHID) Err() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.err
}

func (u *UHID) stop(cause error) {
	u.once.Do(func() {
		u.mu.Lock()
		u.err = cause
		u.mu.Unlock()
		close(u.end)
		u.power.cut()
		// Closing destroys the device too; this says so in the protocol's words.
		_, err := u.file.Write([]byte{uhidDestroy, 0, 0, 0})
		err = errors.Join(err, u.file.Close())
		if cause == nil && err != nil {
			u.mu.Lock()
			u.err = fmt.Errorf("vkey: destroy the device: %w", err)
			u.mu.Unlock()
		}
	})
}

// receive hands the kernel's events to the key.
func (u *UHID) receive(started chan<- struct{}) {
	event := make([]byte, uhidEventSize)
	for {
		n, err := u.file.Read(event)
		if err != nil {
			u.stop(fmt.Errorf("vkey: read from the kernel: %w", err)) // no effect while stopping
			return
		}
		ev, ok := parseUHID(event[:n])
		if !ok {
			continue
		}
		switch ev.kind {
		case uhidStart:
			close(started)
			started = make(chan struct{}) // should it come again
		case uhidOutput:
			if err := u.power.write(withoutReportNumber(ev.output)); err != nil {
				return // unplugged
			}
		}
		if ev.reply != nil {
			if _, err := u.file.Write(ev.reply); err != nil {
				u.stop(fmt.Errorf("vkey: answer the kernel: %w", err))
				return
			}
		}
	}
}

// withoutReportNumber drops the octet that hidraw wants in front of each
// report: uhid, unlike the USB driver, leaves it there.
func withoutReportNumber(p []byte) []byte {
	if len(p) > 0 && p[0] == 0 {
		return p[1:]
	}
	return p
}

const (
	// burst reports go out at once, further ones at the pace of an interrupt
	// endpoint: a hidraw reader has room for 64, and what comes on top is lost.
	burst = 32
	pace  = 2 * time.Millisecond
)

// transmit writes the key's reports to the kernel.
func (u *UHID) transmit() {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-u.end:
			return
		case <-u.out.wake:
		}
		reports := u.out.take()
		for i := range reports {
			if i >= burst {
				timer.Reset(pace)
				select {
				case <-u.end:
					return
				case <-timer.C:
				}
			}
			if _, err := u.file.Write(uhidSend(&reports[i])); err != nil {
				u.stop(fmt.Errorf("vkey: write to the kernel: %w", err))
				return
			}
		}
	}
}

// uhidSend makes the UHID_INPUT2 event of a report of the key.
func uhidSend(r *report) []byte {
	e := make([]byte, 4+2, 4+2+len(r))
	binary.NativeEndian.PutUint32(e, uhidInput2)
	binary.NativeEndian.PutUint16(e[4:], uint16(len(r)))
	return append(e, r[:]...)
}
