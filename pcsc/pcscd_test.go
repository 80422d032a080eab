//go:build linux && cgo

package pcsc

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
)

// patience is how long a test waits for what must happen. It is not a measure.
const patience = 60 * time.Second

// plasticCard is a card in a vpcd reader: it is in from insertCard to pull. It
// answers a command by answer; nil is no answer at all.
type plasticCard struct {
	conn   net.Conn
	ended  chan struct{}
	off    chan struct{} // closed when it was first powered off
	answer func(command []byte) []byte
}

var plasticATR = []byte{0x3B, 0x80, 0x80, 0x01, 0x01} // T=1, nothing else

func insertCard(t *testing.T, addr string, answer func([]byte) []byte) *plasticCard {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	if answer == nil {
		answer = func([]byte) []byte { return []byte{0x90, 0x00} }
	}
	c := &plasticCard{conn: conn, ended: make(chan struct{}), off: make(chan struct{}), answer: answer}
	go c.serve()
	t.Cleanup(c.pull)
	return c
}

func (c *plasticCard) pull() {
	_ = c.conn.Close()
	<-c.ended
}

func (c *plasticCard) serve() {
	defer close(c.ended)
	var off sync.Once
	for {
		var head [2]byte
		if _, err := io.ReadFull(c.conn, head[:]); err != nil {
			return
		}
		body := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c.conn, body); err != nil {
			return
		}
		var answer []byte
		switch {
		case len(body) == 1 && body[0] == 4:
			answer = plasticATR
		case len(body) == 1: // power off, on, reset: no answer
			if body[0] == 0 {
				off.Do(func() { close(c.off) })
			}
			continue
		default:
			answer = c.answer(body)
		}
		if answer == nil {
			continue
		}
		if _, err := c.conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

// observed is a Watch on the real pcscd.
type observed struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error

	mu     sync.Mutex
	news   chan struct{}
	events []Event
	last   Snapshot
}

func observe(t *testing.T) *observed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	o := &observed{t: t, cancel: cancel, done: make(chan error, 1), news: make(chan struct{})}
	go func() {
		o.done <- Watch(ctx, Native(), func(r Report) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.events = append(o.events, r.Events...)
			o.last = r.Snapshot
			close(o.news)
			o.news = make(chan struct{})
		})
	}()
	t.Cleanup(o.end)
	return o
}

func (o *observed) end() {
	o.t.Helper()
	if o.cancel == nil {
		return
	}
	o.cancel()
	o.cancel = nil
	select {
	case err := <-o.done:
		if err != nil {
			o.t.Errorf("Watch ended by %v", err)
		}
	case <-time.After(patience):
		o.t.Error("Watch does not end")
	}
}

// awaits waits until the events since the last call tell the story.
func (o *observed) awaits(want string) {
	o.t.Helper()
	o.awaitsOf("", want)
}

// awaitsOf is awaits for the events of one reader, or of all.
func (o *observed) awaitsOf(reader, want string) {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		events, news := o.events, o.news
		if reader != "" {
			events = slices.DeleteFunc(slices.Clone(events), func(e Event) bool { return e.Reader.Name != reader })
		}
		got := story(events)
		if got == want {
			o.events = nil
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		if !strings.HasPrefix(want, got) {
			o.t.Fatalf("\n got %s\nwant %s", got, want)
		}
		select {
		case <-news:
		case <-deadline:
			o.t.Fatalf("\n got %s\nwant %s, and no more comes", got, want)
		}
	}
}

const shown = "3b80800101 present" // plasticATR in a story

func TestPcscdCardsComeAndGo(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	a, b := d.Reader(0), d.Reader(1)
	o.awaits(fmt.Sprintf("up, +%s, +%s", a, b))
	for range 3 {
		card := insertCard(t, d.Addr(1), nil)
		o.awaits(fmt.Sprintf("in %s %s", b, shown))
		card.pull()
		o.awaits("out " + b)
	}
}

// pcscd polls vpcd every 400 ms; a card swapped for an equal one within that
// time leaves only the counter to tell.
func TestPcscdSwapOfEqualCardsIsTwoEvents(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	a, b := d.Reader(0), d.Reader(1)
	o.awaits(fmt.Sprintf("up, +%s, +%s", a, b))
	card := insertCard(t, d.Addr(0), nil)
	o.awaits(fmt.Sprintf("in %s %s", a, shown))
	for range 5 {
		// A swap while pcscd powers the card off, which it does soon after the
		// insertion, is one that vpcd hides from it.
		select {
		case <-card.off:
		case <-time.After(patience):
			t.Fatal("pcscd does not power the card off")
		}
		card.pull()
		card = insertCard(t, d.Addr(0), nil)
		o.awaits(fmt.Sprintf("out %s, in %s %s", a, a, shown))
	}
}

func TestPcscdKilledAndRestarted(t *testing.T) {
	d := pcscd.Start(t, 2)
	insertCard(t, d.Addr(0), nil)
	a, b := d.Reader(0), d.Reader(1)
	o := observe(t)
	o.awaitCard(a)
	for range 3 {
		d.Kill()
		o.awaits(fmt.Sprintf("down SCARD_E_NO_SERVICE, out %s, %s is unavailable, %s is unavailable", a, a, b))
		d.Restart()
		o.awaits(fmt.Sprintf("up, %s is empty, %s is empty", a, b))
		card := insertCard(t, d.Addr(0), nil)
		o.awaits(fmt.Sprintf("in %s %s", a, shown))
		_ = card
	}
}

// awaitCard waits for a card in a reader, however it came to be known, and
// forgets what led there.
func (o *observed) awaitCard(reader string) {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		r, _ := o.last.Reader(reader)
		news := o.news
		if r.HasCard() {
			o.events = nil
			o.mu.Unlock()
			return
		}
		o.mu.Unlock()
		select {
		case <-news:
		case <-deadline:
			o.t.Fatalf("no card in %s: %v", reader, r)
		}
	}
}

func TestPcscdStoppedInOrder(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	a, b := d.Reader(0), d.Reader(1)
	o.awaits(fmt.Sprintf("up, +%s, +%s", a, b))
	d.Stop()
	o.awaitDown()
	d.Restart()
	insertCard(t, d.Addr(0), nil)
	o.awaitCard(a)
}

func (o *observed) awaitDown() {
	o.t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		s, news := o.last.Service, o.news
		o.mu.Unlock()
		if !s.Up && errors.Is(s.Err, SCARD_E_NO_SERVICE) {
			return
		}
		select {
		case <-news:
		case <-deadline:
			o.t.Fatalf("pcscd is stopped, and the service is %v", s)
		}
	}
}

func TestPcscdSixteenReaders(t *testing.T) {
	d := pcscd.Start(t, 16)
	o := observe(t)
	want := "up"
	for i := range 16 {
		want += ", +" + d.Reader(i)
	}
	o.awaits(want)
	insertCard(t, d.Addr(15), nil)
	o.awaits(fmt.Sprintf("in %s %s", d.Reader(15), shown))
}

func TestPcscdTellsWhoseCardIsInUse(t *testing.T) {
	d := pcscd.Start(t, 2)
	insertCard(t, d.Addr(0), nil)
	o := observe(t)
	o.awaitCard(d.Reader(0))
	c := connectorFor(t, patience)
	if r, err := c.Look(t.Context(), d.Reader(0)); err != nil || r.Condition != Present {
		t.Fatalf("Look says %v, %v", r, err)
	}
	pc, err := Native().Establish()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pc.Release() }()
	other, err := pc.Connect(d.Reader(0), ShareExclusive, ProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := c.Look(t.Context(), d.Reader(0)); err != nil || r.Condition != Exclusive {
		t.Fatalf("Look says %v, %v", r, err)
	}
	free := make(chan error, 1)
	go func() {
		r, err := c.WaitFree(t.Context(), d.Reader(0))
		if err == nil && r.Condition != Present {
			err = fmt.Errorf("the reader is %s", r.Condition)
		}
		free <- err
	}()
	if err := other.Disconnect(LeaveCard); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-free:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(patience):
		t.Fatal("WaitFree does not see that the card is free")
	}
}
