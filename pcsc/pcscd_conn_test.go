//go:build linux && cgo

package pcsc

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"authbridge/e2e/pcscd"
)

func connectorFor(t *testing.T, deadline time.Duration) *Connector {
	t.Helper()
	c := NewConnector(Native(), ConnectorOptions{Deadline: deadline})
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// awaitRecovery waits until no call is stuck any more.
func awaitRecovery(t *testing.T, c *Connector) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for len(c.Hung()) > 0 {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("still hung: %v", c.Hung())
		}
	}
}

func TestPcscdExchange(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	long := bytes.Repeat([]byte{0xA5}, 4096)
	insertCard(t, d.Addr(0), func(command []byte) []byte {
		if len(command) > 5 {
			return append(bytes.Clone(command), 0x90, 0x00)
		}
		return []byte{0x6A, 0x82}
	})
	o.awaitCard(d.Reader(0))
	conn, err := connectorFor(t, patience).Open(t.Context(), d.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Transaction(t.Context(), func(tx *Tx) error {
		if answer, err := tx.Transmit(t.Context(), []byte{0, 0xA4, 4, 0, 0}); err != nil || !bytes.Equal(answer, []byte{0x6A, 0x82}) {
			t.Errorf("got % x, %v", answer, err)
		}
		answer, err := tx.Transmit(t.Context(), long)
		if err == nil && !bytes.Equal(answer, append(long, 0x90, 0x00)) {
			t.Errorf("%d octets came back changed", len(long))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if _, err := conn.Transmit(t.Context(), nil); !errors.Is(err, SCARD_E_INVALID_PARAMETER) {
		t.Errorf("no command: %v", err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

func TestPcscdDirectConnectionRefusesCommands(t *testing.T) {
	d := pcscd.Start(t, 2)
	conn, err := connectorFor(t, patience).open(t.Context(), d.Reader(0), ShareDirect, ProtocolUndefined)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); !errors.Is(err, SCARD_E_PROTO_MISMATCH) {
		t.Errorf("got %v", err)
	}
}

func TestPcscdNoCard(t *testing.T) {
	d := pcscd.Start(t, 2)
	c := connectorFor(t, patience)
	if _, err := c.Open(t.Context(), d.Reader(0)); !errors.Is(err, SCARD_E_NO_SMARTCARD) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Open(t.Context(), "no such reader"); !errors.Is(err, SCARD_E_UNKNOWN_READER) {
		t.Errorf("got %v", err)
	}
	d.Kill()
	if _, err := c.Open(t.Context(), d.Reader(0)); !errors.Is(err, SCARD_E_NO_SERVICE) {
		t.Errorf("got %v", err)
	}
}

func TestPcscdPullInMidCommandIsNoAnswer(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	asked := make(chan struct{})
	card := insertCard(t, d.Addr(0), func([]byte) []byte { close(asked); return nil })
	o.awaitCard(d.Reader(0))
	conn, err := connectorFor(t, patience).Open(t.Context(), d.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	go func() { <-asked; card.pull() }()
	var short *ShortAnswerError
	if answer, err := conn.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); !errors.As(err, &short) {
		t.Errorf("got % x, %v", answer, err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

// A vpcd reader must never pass for hardware, with a card in it or without.
func TestPcscdReadersOfVpcdAreVirtual(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	insertCard(t, d.Addr(0), nil)
	o.awaitCard(d.Reader(0))
	c := connectorFor(t, patience)
	for i := range 2 {
		if origin, err := c.Origin(t.Context(), d.Reader(i)); err != nil || !origin.Virtual {
			t.Errorf("%s: %+v, %v", d.Reader(i), origin, err)
		} else {
			t.Logf("%s: %s", d.Reader(i), origin.Why)
		}
	}
}

// The decision of docs/adr/0001-hung-cards.md rests on this.
func TestPcscdAHungCardStopsNothingElse(t *testing.T) {
	d := pcscd.Start(t, 4)
	o := observe(t)
	hung, well := d.Reader(0), d.Reader(2)
	card := insertCard(t, d.Addr(0), func([]byte) []byte { return nil })
	o.awaitCard(hung)
	c, patient := connectorFor(t, time.Second), connectorFor(t, patience)
	conn, err := c.Open(t.Context(), hung)
	if err != nil {
		t.Fatal(err)
	}
	err = conn.Transaction(t.Context(), func(tx *Tx) error {
		_, err := tx.Transmit(t.Context(), []byte{0, 0xA4, 4, 0})
		return err
	})
	if !errors.Is(err, ErrHung) || !errors.Is(conn.Close(), ErrHung) || !slices.Equal(c.Hung(), []string{hung}) {
		t.Fatalf("got %v, hung are %v", err, c.Hung())
	}

	// The watch goes on, and so does work with another reader's card.
	for range 3 {
		other := insertCard(t, d.Addr(2), nil)
		o.awaitsOf(well, fmt.Sprintf("in %s %s", well, shown))
		conn, err := patient.Open(t.Context(), well)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		other.pull()
		o.awaitsOf(well, "out "+well)
	}
	if r, err := patient.Look(t.Context(), hung); err != nil || r.Condition != InUse {
		t.Errorf("the hung reader is %v, %v", r, err)
	}
	o.end() // the watch's cancellation works too

	// The card goes, and all is as before.
	card.pull()
	awaitRecovery(t, c)
	o = observe(t)
	insertCard(t, d.Addr(0), nil)
	o.awaitCard(hung)
	conn, err = patient.Open(t.Context(), hung)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil {
		t.Error(err)
	}
	_ = conn.Close()
}

// A pcscd that is there and does not answer freezes all PC/SC of a process:
// SCardEstablishContext waits for it with the library's lock held. Nobody waits
// for that without end, and all goes on when it answers again.
func TestPcscdFrozenHoldsNobodyUp(t *testing.T) {
	d := pcscd.Start(t, 2)
	insertCard(t, d.Addr(0), nil)
	o := observe(t)
	o.awaitCard(d.Reader(0))
	c := connectorFor(t, time.Second)
	frozen := d.PID()
	if err := syscall.Kill(frozen, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	thaw := func() { _ = syscall.Kill(frozen, syscall.SIGCONT) }
	defer thaw()
	if _, err := c.Open(t.Context(), d.Reader(0)); !errors.Is(err, ErrHung) {
		t.Errorf("Open says %v", err)
	}
	if _, err := c.Look(t.Context(), d.Reader(1)); !errors.Is(err, ErrHung) {
		t.Errorf("Look says %v", err)
	}
	o.cancel()
	o.cancel = nil
	select {
	case err := <-o.done:
		if !errors.Is(err, ErrWatchStuck) {
			t.Errorf("Watch ended by %v", err)
		}
	case <-time.After(patience):
		t.Fatal("Watch does not end")
	}
	thaw()
	awaitRecovery(t, c)
	o = observe(t)
	o.awaitCard(d.Reader(0))
	conn, err := connectorFor(t, patience).Open(t.Context(), d.Reader(0))
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil {
		t.Error(err)
	}
}

const envHelper = "AUTHBRIDGE_PCSC_HELPER" // the reader whose card hangs

// TestHelperHangs is the process of the test below.
func TestHelperHangs(t *testing.T) {
	reader := os.Getenv(envHelper)
	if reader == "" {
		t.Skip("a helper of another test")
	}
	ctx, cancel := context.WithCancel(context.Background())
	watch := make(chan error, 1)
	go func() { watch <- Watch(ctx, Native(), func(Report) {}) }()
	c := NewConnector(Native(), ConnectorOptions{Deadline: time.Second})
	conn, err := c.Open(ctx, reader)
	if err == nil {
		_, err = conn.Transmit(ctx, []byte{0, 0xA4, 4, 0})
	}
	fmt.Fprintf(os.Stdout, "hung: %v\n", errors.Is(err, ErrHung))
	// To go on in order, or to be killed, when the test says so.
	_, _ = io.ReadAll(os.Stdin)
	began := time.Now()
	_ = c.Close()
	cancel()
	err = <-watch
	fmt.Fprintf(os.Stdout, "closed: %v after %v\n", err, time.Since(began))
	os.Exit(0)
}

func TestPcscdAProcessWithAHungCardEnds(t *testing.T) {
	d := pcscd.Start(t, 2)
	o := observe(t)
	insertCard(t, d.Addr(0), func([]byte) []byte { return nil })
	o.awaitCard(d.Reader(0))
	for _, by := range []string{"itself", "SIGTERM"} {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		cmd := exec.CommandContext(ctx, "/proc/self/exe", "-test.run=^TestHelperHangs$", "-test.v")
		cmd.Env = append(os.Environ(), envHelper+"="+d.Reader(0))
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(stdout)
		for lines.Scan() && lines.Text() != "hung: true" {
		}
		began := time.Now()
		if by == "SIGTERM" {
			_ = cmd.Process.Signal(syscall.SIGTERM)
		} else {
			_ = stdin.Close()
		}
		for lines.Scan() {
			t.Log(lines.Text())
		}
		err = cmd.Wait()
		t.Logf("ended by %s within %v: %v", by, time.Since(began), err)
		var exit *exec.ExitError
		switch {
		case by == "itself" && err != nil:
			t.Errorf("ended by itself: %v", err)
		case by == "SIGTERM" && (!errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM):
			t.Errorf("ended by SIGTERM: %v", err)
		}
		cancel()
	}
}
