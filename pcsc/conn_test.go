package pcsc

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

const testDeadline = 5 * time.Second

// withCard runs a test in false time with a card in reader A.
func withCard(t *testing.T, test func(t *testing.T, f *fakeSystem, card *fakeCard, c *Connector)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFake("A", "B")
		f.card = newFakeCard()
		c := NewConnector(f, ConnectorOptions{Deadline: testDeadline, MaxStuck: 2})
		test(t, f, f.card, c)
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if f.card.trodden {
			t.Error("a context was touched while a call on it was out")
		}
		if f.open != 0 {
			t.Errorf("%d contexts are left", f.open)
		}
	})
}

func mustOpen(t *testing.T, c *Connector, reader string) *Conn {
	t.Helper()
	conn, err := c.Open(t.Context(), reader)
	if err != nil {
		t.Fatal(err)
	}
	return conn
}

func TestATransactionLeavesTheCardAsItIs(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		if conn.Protocol() != ProtocolT1 || conn.Reader() != "A" {
			t.Errorf("it is connected to %q by %d", conn.Reader(), conn.Protocol())
		}
		err := conn.Transaction(t.Context(), func(tx *Tx) error {
			for range 2 {
				if answer, err := tx.Transmit(t.Context(), []byte{0, 0xA4, 4, 0}); err != nil || !bytes.Equal(answer, card.answer) {
					t.Errorf("got %x, %v", answer, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("closed twice: %v", err)
		}
		if got, want := card.story(), "connect, begin, transmit, transmit, end, disconnect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		if _, err := conn.Transmit(t.Context(), []byte{0}); !errors.Is(err, ErrClosed) {
			t.Errorf("closed, it says %v", err)
		}
	})
}

// Ground rule 3: a card is never reset, but by who asks for just that.
func TestACardIsResetOnlyByWhoAsksForIt(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		if err := conn.CloseReset(); err != nil {
			t.Fatal(err)
		}
		if got, want := card.story(), "connect, disconnect AND NOT LEFT AS IT IS, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		if err := conn.Close(); err != nil {
			t.Errorf("closed again: %v", err)
		}

		conn = mustOpen(t, c, "A")
		_ = conn.Close()
		if err := conn.CloseReset(); !errors.Is(err, ErrClosed) {
			t.Errorf("after it was closed: %v", err)
		}
		if got, want := card.story(), "connect, disconnect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}

		refusal := &Error{opDisconnect, SCARD_W_REMOVED_CARD}
		card.refuse["disconnect AND NOT LEFT AS IT IS"] = refusal
		if err := mustOpen(t, c, "A").CloseReset(); !errors.Is(err, SCARD_W_REMOVED_CARD) {
			t.Errorf("refused: %v", err)
		}
	})
}

// A reset that comes after its caller was told that the card hangs is none that
// anybody knows of.
func TestALateResetIsNotMade(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		release := card.hangs("transmit")
		go func() { _, _ = conn.Transmit(t.Context(), []byte{0}) }()
		synctest.Wait()
		if err := conn.CloseReset(); !errors.Is(err, ErrHung) {
			t.Errorf("got %v", err)
		}
		release()
		synctest.Wait()
		if got, want := card.story(), "connect, transmit, disconnect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestATransactionEndsHoweverItsFunctionDoes(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		card.story()
		broken := errors.New("broken")
		var kept *Tx
		if err := conn.Transaction(t.Context(), func(tx *Tx) error { kept = tx; return broken }); !errors.Is(err, broken) {
			t.Errorf("got %v", err)
		}
		if _, err := kept.Transmit(t.Context(), []byte{0}); !errors.Is(err, ErrClosed) {
			t.Errorf("after its end it says %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = conn.Transaction(t.Context(), func(*Tx) error { panic("oh") })
		}()
		ctx, cancel := context.WithCancel(t.Context())
		if err := conn.Transaction(ctx, func(*Tx) error { cancel(); return ctx.Err() }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
		if got, want := card.story(), "begin, end, begin, end, begin, end"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestWhyAConnectionFailsIsKept(t *testing.T) {
	withCard(t, func(t *testing.T, f *fakeSystem, card *fakeCard, c *Connector) {
		card.refuse["connect"] = &Error{opConnect, SCARD_E_SHARING_VIOLATION}
		if _, err := c.Open(t.Context(), "A"); !errors.Is(err, SCARD_E_SHARING_VIOLATION) {
			t.Errorf("got %v", err)
		}
		if got, want := card.story(), "connect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		f.stop(&Error{opEstablish, SCARD_E_NO_SERVICE})
		if _, err := c.Open(t.Context(), "A"); !errors.Is(err, SCARD_E_NO_SERVICE) {
			t.Errorf("got %v", err)
		}
		f.open = 0
	})
}

func TestAHungCardIsGivenUpAndUndoneWhenItReturns(t *testing.T) {
	withCard(t, func(t *testing.T, f *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		release := card.hangs("transmit")
		began := time.Now()
		err := conn.Transaction(t.Context(), func(tx *Tx) error {
			_, err := tx.Transmit(t.Context(), []byte{0, 1, 2, 3})
			return err
		})
		var hung *HungError
		if !errors.As(err, &hung) || hung.Reader != "A" || hung.Op != "SCardTransmit" || !errors.Is(err, ErrHung) {
			t.Fatalf("got %v", err)
		}
		if took := time.Since(began); took != testDeadline {
			t.Errorf("it took %v", took)
		}
		if err := conn.Close(); !errors.Is(err, ErrHung) {
			t.Errorf("closing it says %v", err)
		}
		if got := c.Hung(); !slices.Equal(got, []string{"A"}) {
			t.Errorf("hung are %v", got)
		}
		// Nobody touches that reader again; others are as before.
		if _, err := c.Open(t.Context(), "A"); !errors.Is(err, ErrHung) {
			t.Errorf("opening it again says %v", err)
		}
		if got, want := card.story(), "connect, begin, transmit"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		_ = mustOpen(t, c, "B").Close()
		card.story()

		release()
		synctest.Wait()
		if got, want := card.story(), "end, disconnect, release"; got != want {
			t.Errorf("late\n got %s\nwant %s", got, want)
		}
		if got := c.Hung(); len(got) != 0 {
			t.Errorf("hung are %v", got)
		}
		_ = mustOpen(t, c, "A").Close()
	})
}

func TestALateConnectIsUndone(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		release := card.hangs("connect")
		if _, err := c.Open(t.Context(), "A"); !errors.Is(err, ErrHung) {
			t.Fatalf("got %v", err)
		}
		release()
		synctest.Wait()
		if got, want := card.story(), "connect, disconnect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestACallCutShortReturnsPromptlyAndIsUndone(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		for _, hanging := range []string{"connect", "begin", "transmit"} {
			release := card.hangs(hanging)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			conn, err := c.Open(ctx, "A")
			if err == nil {
				err = conn.Transaction(ctx, func(tx *Tx) error {
					_, err := tx.Transmit(ctx, []byte{0})
					return err
				})
			}
			if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != time.Second {
				t.Errorf("%s: %v after %v", hanging, err, time.Since(began))
			}
			cancel()
			card.story()
			release()
			synctest.Wait()
			want := map[string]string{
				"connect": "disconnect, release", "begin": "end, disconnect, release", "transmit": "end, disconnect, release",
			}[hanging]
			if got := card.story(); got != want {
				t.Errorf("%s:\n got %s\nwant %s", hanging, got, want)
			}
			if conn != nil {
				if err := conn.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}

func TestACommandDoesNotStartAfterItWasCancelledInTheQueue(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		release := card.hangs("transmit")
		first := make(chan error, 1)
		go func() { _, err := conn.Transmit(t.Context(), []byte{1}); first <- err }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := conn.Transmit(ctx, []byte{2}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		release()
		if err := <-first; err != nil {
			t.Errorf("the other command: %v", err)
		}
		if got, want := card.story(), "connect, transmit"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

// Another program's transaction may last for as long as somebody types a PIN:
// the card is in use, not hung.
func TestWaitingForAnotherProgramIsNoHungCard(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		release := card.hangs("begin")
		err := conn.Transaction(t.Context(), func(*Tx) error { t.Error("it runs"); return nil })
		if !errors.Is(err, SCARD_E_SHARING_VIOLATION) || errors.Is(err, ErrHung) {
			t.Errorf("got %v", err)
		}
		if len(c.Hung()) != 0 {
			t.Errorf("hung are %v", c.Hung())
		}
		if _, err := c.Open(t.Context(), "A"); !errors.Is(err, SCARD_E_SHARING_VIOLATION) {
			t.Errorf("opening it again says %v", err)
		}
		card.story()
		release()
		synctest.Wait()
		if got, want := card.story(), "end, disconnect, release"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
	})
}

func TestCallsThatHangAreBounded(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		release := card.hangs("connect")
		for _, reader := range []string{"A", "B"} {
			if _, err := c.Open(t.Context(), reader); !errors.Is(err, ErrHung) {
				t.Fatal(err)
			}
		}
		if _, err := c.Open(t.Context(), "C"); !errors.Is(err, ErrTooManyHung) {
			t.Errorf("got %v", err)
		}
		if got, want := card.story(), "connect, connect"; got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		release()
		synctest.Wait()
		_ = mustOpen(t, c, "C").Close()
	})
}

func TestClosingDoesNotWaitForAHungCard(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		hung, well := mustOpen(t, c, "A"), mustOpen(t, c, "B")
		release := card.hangs("transmit")
		if _, err := hung.Transmit(t.Context(), []byte{0}); !errors.Is(err, ErrHung) {
			t.Fatal(err)
		}
		began := time.Now()
		if err := c.Close(); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, err := well.Transmit(t.Context(), []byte{0}); !errors.Is(err, ErrClosed) {
			t.Errorf("the other says %v", err)
		}
		if _, err := c.Open(t.Context(), "B"); !errors.Is(err, ErrClosed) {
			t.Errorf("opening says %v", err)
		}
		release()
		synctest.Wait()
	})
}

// A card pulled in mid-command is a success of 0 octets to the system.
func TestAnAnswerWithoutStatusWordIsAnError(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		for _, answer := range [][]byte{nil, {0x90}} {
			card.answer = answer
			var short *ShortAnswerError
			if _, err := conn.Transmit(t.Context(), []byte{0}); !errors.As(err, &short) || short.Octets != len(answer) {
				t.Errorf("%x: got %v", answer, err)
			}
		}
	})
}

func TestTheCopyOfACommandIsWipedAndTheCommandIsNot(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		conn := mustOpen(t, c, "A")
		command := []byte{0, 0x20, 0, 0x80, 4, '1', '2', '3', '4'}
		if _, err := conn.Transmit(t.Context(), command); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(card.commands[0], make([]byte, len(command))) {
			t.Errorf("the copy is still % x", card.commands[0])
		}
		if command[5] != '1' {
			t.Errorf("the caller's own is % x", command)
		}
	})
}

func TestWhoWaitsForAnOldCallIsToldWhenItReturns(t *testing.T) {
	withCard(t, func(t *testing.T, _ *fakeSystem, card *fakeCard, c *Connector) {
		if err := c.Returned(t.Context(), "A"); err != nil {
			t.Errorf("with no call out: %v", err)
		}
		conn := mustOpen(t, c, "A")
		release := card.hangs("transmit")
		var hung *HungError
		if _, err := conn.Transmit(t.Context(), []byte{0}); !errors.As(err, &hung) || hung.OfService() {
			t.Fatalf("got %v", err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if err := c.Returned(ctx, "A"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("while it is out: %v", err)
		}
		if err := c.Returned(t.Context(), "B"); err != nil {
			t.Errorf("another reader: %v", err)
		}
		told := make(chan error, 1)
		go func() { told <- c.Returned(t.Context(), "A") }()
		synctest.Wait()
		release()
		if err := <-told; err != nil || len(c.Hung()) != 0 {
			t.Errorf("after it: %v, hung are %v", err, c.Hung())
		}
	})
}
