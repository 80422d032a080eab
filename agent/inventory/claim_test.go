package inventory

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/fido"
	"authbridge/fido/vkey"
	"authbridge/pcsc"
	"authbridge/pcsc/vcard"
)

// soon is a context that ends within the test's patience.
func soon(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func claim(t *testing.T, inv *Inventory, id string) (release func()) {
	t.Helper()
	release, err := inv.Claim(t.Context(), id)
	must(t, err)
	return release
}

// insertReady inserts a card and gives its id once it was read.
func insertReady(t *testing.T, inv *Inventory, bench *vcard.Bench, card *vcard.Card) string {
	t.Helper()
	must(t, bench.Insert("R0", card))
	return wantCondition(t, inv, "R0", contract.Ready).Card
}

func TestAClaimedCardIsLeftAloneHoweverOftenARereadIsAskedFor(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		once := card.APDUs()
		release := claim(t, inv, id)
		var storm sync.WaitGroup
		for range 8 {
			storm.Go(func() {
				for range 50 {
					if err := errors.Join(inv.Reread(id), inv.Reread(readerIn(inv.Snapshot(), "R0").ID)); err != nil {
						t.Error(err)
					}
					pass(time.Second)
				}
			})
		}
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSW, SW: 0x6F00}))
		storm.Wait()
		pass(time.Hour)
		if n := card.APDUs() - once; n != 0 {
			t.Errorf("%d APDUs came in between", n)
		}
		wantCondition(t, inv, "R0", contract.Ready)
		card.ClearFaults()

		if _, err := inv.Claim(t.Context(), id); !errors.Is(err, ErrClaimed) {
			t.Errorf("a second claim: %v", err)
		}
		release()
		release()
		pass(time.Minute)
		if n := card.APDUs(); n != 2*once {
			t.Errorf("after the release came %d APDUs, a read has %d", n-once, once)
		}
		claim(t, inv, id)()
		pass(time.Minute)
		if n := card.APDUs(); n != 2*once {
			t.Errorf("a claim that nobody asked a read in cost %d APDUs", n-2*once)
		}
	})
}

// A read that failed is tried again by itself, but not while the card is
// claimed.
func TestAClaimPutsOffTheRetries(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSW, SW: 0x6F00}))
		must(t, inv.Reread(id))
		pass(probeGap)
		wantCondition(t, inv, "R0", contract.Unreadable)
		release := claim(t, inv, id)
		apdus := card.APDUs()
		pass(time.Hour)
		if n := card.APDUs() - apdus; n != 0 {
			t.Errorf("%d APDUs came in between", n)
		}
		card.ClearFaults()
		release()
		wantCondition(t, inv, "R0", contract.Ready)
	})
}

func TestAClaimWaitsForTheProbeUnderWayAndNoLongerThanItsContext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		once := card.APDUs()
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: time.Second}))
		must(t, inv.Reread(id))
		pass(time.Second)
		if card.APDUs() == once {
			t.Fatal("it is not being read")
		}
		if _, err := inv.Claim(soon(t, time.Millisecond), id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with no time it ended with %v", err)
		}
		release := claim(t, inv, id)
		if n := card.APDUs(); n != 2*once {
			t.Errorf("claimed after %d of %d APDUs", n-once, once)
		}
		release()
		must(t, inv.Fresh(t.Context(), id)) // the one that failed holds nothing
	})
}

// A probe that waits for another program waits for as long as that pleases; a
// claim does not.
func TestAClaimDoesNotWaitForAProbeThatWaits(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		once := card.APDUs()
		give := hold(t, bench, pcsc.ShareShared)
		must(t, inv.Reread(id))
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.InUse)
		began := time.Now()
		release := claim(t, inv, id)
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v", took)
		}
		give()
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready) // as far as is known
		if n := card.APDUs() - once; n != 0 {
			t.Errorf("%d APDUs came in between", n)
		}
		release()
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
		if n := card.APDUs(); n != 2*once {
			t.Errorf("after the release came %d APDUs, a read has %d", n-once, once)
		}
	})
}

// hold is another program that has a card.
func hold(t *testing.T, bench *vcard.Bench, share pcsc.ShareMode) (give func()) {
	t.Helper()
	other, err := bench.Establish()
	must(t, err)
	handle, err := other.Connect("R0", share, pcsc.ProtocolAny)
	must(t, err)
	return func() { must(t, errors.Join(handle.Disconnect(pcsc.LeaveCard), other.Release())) }
}

func TestAnAbsentCardCanBeClaimedAndIsReadOnceWhenItComes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		once := card.APDUs()
		must(t, bench.Remove("R0"))
		wantCondition(t, inv, "R0", contract.Empty)
		if err := inv.Reread(id); !errors.Is(err, ErrNotFound) {
			t.Errorf("a reread of what is not there: %v", err)
		}
		defer claim(t, inv, id)()
		must(t, inv.Reread(id)) // when it comes
		for range 3 {
			insertReady(t, inv, bench, card)
			for range 20 {
				must(t, inv.Reread(id))
				pass(time.Second)
			}
			must(t, bench.Remove("R0"))
			pass(time.Second)
		}
		if n := card.APDUs(); n != 4*once {
			t.Errorf("four insertions cost %d APDUs, one %d", n, once)
		}
		// Another card in its reader is not claimed.
		other := newCard(t, "555200123457")
		must(t, inv.Reread(insertReady(t, inv, bench, other)))
		pass(time.Second)
		if n := other.APDUs(); n != 2*once {
			t.Errorf("two reads of another card cost %d APDUs, one %d", n, once)
		}
	})
}

func TestACardIsConnectedToOnceItsProbeIsOver(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		once := card.APDUs()
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: time.Second}))
		must(t, inv.Reread(id))
		pass(time.Second)
		conn, err := inv.Card(t.Context(), id)
		must(t, err)
		if n := card.APDUs(); n != 2*once || conn.Reader() != "R0" {
			t.Errorf("connected to %s after %d of %d APDUs", conn.Reader(), n-once, once)
		}
		answer, err := conn.Transmit(t.Context(), []byte("\x00\xA4\x04\x00\x09\xA0\x00\x00\x03\x08\x00\x00\x10\x00\x00"))
		if err != nil || len(answer) < 2 {
			t.Errorf("the card says %X, %v", answer, err)
		}
		// We are a program like others: what is asked for waits.
		card.ClearFaults()
		apdus := card.APDUs()
		must(t, inv.Reread(id))
		pass(time.Minute)
		if n := card.APDUs() - apdus; n != 0 {
			t.Errorf("%d APDUs came in between", n)
		}
		must(t, conn.Close())
		pass(time.Minute)
		wantCondition(t, inv, "R0", contract.Ready)
	})
}

// The probe, not the smartcard service, is waited for: between two calls of a
// probe the service would let anybody in.
func TestACardIsNotConnectedToInTheMiddleOfAProbe(t *testing.T) {
	bubble(t, func(t *testing.T) {
		script, release := newReads(), make(chan struct{})
		inv, bench, stop := startCards(t, 1, script, nil)
		defer stop()
		id := insertReady(t, inv, bench, newCard(t, "555200123456"))
		script.set("R0", func(context.Context) (*health.Card, error) {
			<-release
			return &health.Card{PIV: true, Authenticator: contract.Authenticator{ID: id}}, nil
		})
		must(t, inv.Reread(id))
		pass(time.Second)
		if _, err := inv.Card(soon(t, time.Hour), id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("in the middle of a probe: %v", err)
		}
		close(release)
		conn, err := inv.Card(t.Context(), id)
		must(t, err)
		must(t, conn.Close())
	})
}

func TestACardThatCannotBeConnectedToSaysWhy(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)

		if _, err := inv.Key(t.Context(), id); failure.CodeOf(err) != failure.CeremonyKind {
			t.Errorf("a card as a key: %v", err)
		}
		if _, err := inv.Card(t.Context(), "card-000000000000"); failure.CodeOf(err) != failure.CardGone {
			t.Errorf("a card that was never there: %v", err)
		}
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := inv.Card(ended, id); !errors.Is(err, context.Canceled) {
			t.Errorf("with a context that has ended: %v", err)
		}

		// Another program's alone: it is waited for.
		give := hold(t, bench, pcsc.ShareExclusive)
		if _, err := inv.Card(soon(t, time.Minute), id); failure.CodeOf(err) != failure.CardInUse || !errors.Is(err, pcsc.SCARD_E_SHARING_VIOLATION) {
			t.Errorf("a card of another program's: %v", err)
		}
		connected := make(chan error, 1)
		go func() {
			conn, err := inv.Card(t.Context(), id)
			if err == nil {
				err = conn.Close()
			}
			connected <- err
		}()
		pass(time.Hour)
		give()
		if err := <-connected; err != nil {
			t.Errorf("once it was free: %v", err)
		}

		must(t, bench.Remove("R0"))
		if _, err := inv.Card(t.Context(), id); failure.CodeOf(err) != failure.CardGone {
			t.Errorf("a card that was just taken out: %v", err)
		}
		wantCondition(t, inv, "R0", contract.Empty)
		if _, err := inv.Card(t.Context(), id); failure.CodeOf(err) != failure.CardGone {
			t.Errorf("a card that was taken out: %v", err)
		}
	})
}

// A fresh read is waited for, whatever comes of it, and tells what changed.
func TestFreshReturnsOnceTheReadIsInTheSnapshot(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		once := card.APDUs()
		pin := func() contract.PIN {
			t.Helper()
			a, ok := inv.View().Authenticator(id, true)
			if !ok {
				t.Fatal("the card is gone")
			}
			return a.PIN
		}
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultPINBlocked}))
		must(t, inv.Fresh(t.Context(), id))
		if p := pin(); p.State != "blocked" {
			t.Errorf("the PIN is %+v", p)
		}
		if n := card.APDUs(); n != 2*once {
			t.Errorf("it cost %d APDUs, a read has %d", n-once, once)
		}

		// A read that is under way is not fresh; after it comes room for others.
		pass(time.Second)
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: time.Second}))
		must(t, inv.Reread(id))
		pass(time.Second)
		before, began := card.APDUs(), time.Now()
		must(t, inv.Fresh(t.Context(), id))
		if n := card.APDUs() - before; n < once || inv.Snapshot().Authenticators[0].ReadAt.Before(began) {
			t.Errorf("it returned after %d APDUs more, a read has %d", n, once)
		}
		if took, reads := time.Since(began), time.Duration(2*once)*time.Second; took < reads-time.Second+probeGap {
			t.Errorf("it returned after %v, of which two reads were %v", took, reads)
		}

		// Many that ask at once share reads.
		card.ClearFaults()
		pass(time.Second)
		before = card.APDUs()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if err := inv.Fresh(t.Context(), id); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if n := card.APDUs() - before; n > 2*once {
			t.Errorf("50 at once cost %d APDUs, a read has %d", n, once)
		}

		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSW, SW: 0x6F00}))
		must(t, inv.Fresh(t.Context(), id))
		if r := readerIn(inv.Snapshot(), "R0"); r.Condition != contract.Unreadable {
			t.Errorf("a card that fails is %+v", r)
		}
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
		must(t, inv.Fresh(t.Context(), id))
		wantCondition(t, inv, "R0", contract.Hung)
		apdus := card.APDUs()
		must(t, inv.Fresh(t.Context(), id)) // it is not touched again, and that is known
		if n := card.APDUs() - apdus; n != 0 {
			t.Errorf("a hung card was sent %d APDUs", n)
		}
		if n := card.PINTries(); n != 0 {
			t.Errorf("it cost %d PIN tries", n)
		}
	})
}

func TestFreshEndsWhereNoReadCanComeOfIt(t *testing.T) {
	bubble(t, func(t *testing.T) {
		inv, bench, stop := startCards(t, 1, nil, nil)
		defer stop()
		card := newCard(t, "555200123456")
		id := insertReady(t, inv, bench, card)
		if err := inv.Fresh(t.Context(), "card-000000000000"); !errors.Is(err, ErrNotFound) {
			t.Errorf("an unknown card: %v", err)
		}
		release := claim(t, inv, id)
		if err := inv.Fresh(soon(t, time.Hour), id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a claimed card: %v", err)
		}
		release()
		give := hold(t, bench, pcsc.ShareShared)
		if err := inv.Fresh(soon(t, time.Hour), id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a card in use: %v", err)
		}
		fresh := func() <-chan error {
			done := make(chan error, 1)
			go func() { done <- inv.Fresh(t.Context(), id) }()
			pass(time.Second)
			return done
		}
		gone := fresh()
		give()
		must(t, bench.Remove("R0"))
		if err := <-gone; err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("a card that goes: %v", err)
		}
		wantCondition(t, inv, "R0", contract.Empty)
		if err := inv.Fresh(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("a card that went: %v", err)
		}

		// Taken out and put back before it was read, it is read, and that is it.
		insertReady(t, inv, bench, card)
		must(t, card.SetFaults(vcard.Fault{Name: vcard.FaultSlow, Delay: time.Second}))
		back := fresh()
		must(t, errors.Join(bench.Remove("R0"), bench.Insert("R0", card)))
		if err := <-back; err != nil && !errors.Is(err, ErrNotFound) {
			t.Errorf("a card that comes back: %v", err)
		}
		pass(time.Minute)
		ended := fresh()
		stop()
		if err := <-ended; !errors.Is(err, ErrEnded) {
			t.Errorf("at the end of Run: %v", err)
		}
		if err := inv.Fresh(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("after Run: %v", err)
		}
		if _, err := inv.Card(t.Context(), id); failure.CodeOf(err) != failure.CardGone {
			t.Errorf("a card after Run: %v", err)
		}
	})
}

// startKey runs an inventory over a bus with one key, and gives its id once it
// was read.
func startKey(t *testing.T, key *vkey.Key) (inv *Inventory, bus *vkey.Bus, id string, stop func()) {
	t.Helper()
	bus = vkey.NewBus()
	inv, end := start(t, Config{Sources: []Source{NewKeys(KeysConfig{Name: "virtual-fido", Bus: bus, Virtual: true})}, Judge: health.Judge})
	plug(t, bus, key)
	pass(time.Second)
	a := keyIn(inv.Snapshot(), key)
	if a == nil || a.Condition != contract.Ready {
		t.Fatalf("the key is %+v", a)
	}
	return inv, bus, a.ID, func() {
		end()
		bus.Close()
	}
}

func TestAClaimedKeyIsLeftAloneAndReadOnceWhenItComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t, "one")
		inv, bus, id, stop := startKey(t, key)
		defer stop()
		once := key.Stats().Messages
		release := claim(t, inv, id)
		storm := func() {
			t.Helper()
			for range 50 {
				must(t, inv.Reread(id))
				pass(time.Second)
			}
		}
		storm()
		if n := key.Stats().Messages; n != once {
			t.Errorf("%d messages came in between", n-once)
		}
		must(t, bus.Unplug(key))
		pass(time.Second)
		must(t, inv.Reread(id)) // when it comes
		plug(t, bus, key)
		pass(time.Second)
		storm()
		if n := key.Stats().Messages; n != 2*once {
			t.Errorf("back again it got %d messages, a read has %d", n-once, once)
		}
		// At once, while it is unplugged and plugged in again.
		must(t, bus.Unplug(key))
		plug(t, bus, key)
		k, err := inv.Key(t.Context(), id)
		for failure.CodeOf(err) == failure.KeyGone {
			pass(time.Millisecond)
			k, err = inv.Key(t.Context(), id)
		}
		must(t, err)
		if n := key.Stats().Messages; n < 3*once {
			t.Errorf("it was opened after %d of %d messages", n-2*once, once)
		}
		must(t, k.Close())
		messages := key.Stats().Messages
		storm()
		if n := key.Stats().Messages; n != messages {
			t.Errorf("%d messages came in between", n-messages)
		}
		release()
		release()
		pass(time.Second)
		if n := key.Stats().Messages; n != messages+once {
			t.Errorf("after the release came %d messages, a read has %d", n-messages, once)
		}
		if n := key.Stats().PINTries; n != 0 {
			t.Errorf("it cost %d PIN tries", n)
		}
	})
}

func TestAKeyIsOpenedOnceItsReadIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t, "one")
		inv, bus, id, stop := startKey(t, key)
		defer stop()
		once := key.Stats().Messages
		must(t, key.SetFaults(vkey.Fault{Name: vkey.Slow, Delay: time.Second}))
		must(t, inv.Reread(id))
		pass(time.Second)
		release := claim(t, inv, id)
		defer release()
		if n := key.Stats().Messages; n != 2*once {
			t.Errorf("claimed after %d of %d messages", n-once, once)
		}
		k, err := inv.Key(t.Context(), id)
		must(t, err)
		_, err = k.Retries(t.Context())
		must(t, err)
		must(t, k.Close())

		if _, err := inv.Card(t.Context(), id); failure.CodeOf(err) != failure.CeremonyKind {
			t.Errorf("a key as a card: %v", err)
		}
		if _, err := inv.Key(t.Context(), "key-000000000000"); failure.CodeOf(err) != failure.KeyGone {
			t.Errorf("a key that was never there: %v", err)
		}
		must(t, bus.Unplug(key))
		if _, err := inv.Key(t.Context(), id); failure.CodeOf(err) != failure.KeyGone {
			t.Errorf("a key that was just unplugged: %v", err)
		}
		pass(time.Second)
		if _, err := inv.Key(t.Context(), id); failure.CodeOf(err) != failure.KeyGone {
			t.Errorf("a key that was unplugged: %v", err)
		}
		if err := inv.Fresh(t.Context(), id); !errors.Is(err, ErrNotFound) {
			t.Errorf("a fresh read of a key that was unplugged: %v", err)
		}
	})
}

func TestAFreshReadOfAKeyTellsWhatChanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		key := newKey(t, "one")
		inv, bus, id, stop := startKey(t, key)
		defer stop()
		once := key.Stats().Messages
		must(t, key.SetFaults(vkey.Fault{Name: vkey.PINBlocked}))
		must(t, inv.Fresh(t.Context(), id))
		if a := keyIn(inv.Snapshot(), key); a.PIN.State != "blocked" {
			t.Errorf("the key is %+v", a)
		}
		if n := key.Stats().Messages; n != 2*once {
			t.Errorf("it cost %d messages, a read has %d", n-once, once)
		}
		must(t, key.SetFaults(vkey.Fault{Name: vkey.Mute}))
		must(t, inv.Fresh(t.Context(), id))
		if a := keyIn(inv.Snapshot(), key); a.Condition != contract.Mute {
			t.Errorf("the key is %+v", a)
		}
		must(t, key.SetFaults())
		pass(time.Minute)
		release := claim(t, inv, id)
		if err := inv.Fresh(soon(t, time.Hour), id); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a claimed key: %v", err)
		}
		gone := make(chan error, 1)
		go func() { gone <- inv.Fresh(t.Context(), id) }()
		pass(time.Second)
		must(t, bus.Unplug(key))
		if err := <-gone; !errors.Is(err, ErrNotFound) {
			t.Errorf("a key that goes: %v", err)
		}
		release()
	})
}

// What the system says of a key that cannot be opened is a code.
func TestAKeyThatCannotBeOpenedSaysWhy(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for _, test := range []struct {
		ctx  context.Context
		err  error
		win  bool
		want failure.Code
	}{
		{t.Context(), fido.ErrGone, false, failure.KeyGone},
		{t.Context(), fido.ErrForbidden, false, failure.KeyForbidden},
		{t.Context(), fido.ErrForbidden, true, failure.FIDONeedsAdmin},
		{t.Context(), fido.ErrMute, false, failure.KeyMute},
		{t.Context(), &fido.FrameError{Reason: "x"}, false, failure.KeyHostile},
		{t.Context(), errors.New("EMFILE"), false, failure.KeyUnreadable},
		{ended, fido.ErrInUse, false, failure.KeyBusy},
		{ended, fido.ErrMute, false, ""},
	} {
		err := keyFailure(test.ctx, test.err, test.win)
		if failure.CodeOf(err) != test.want || test.want == "" && !errors.Is(err, context.Canceled) {
			t.Errorf("%v is %v, want %s", test.err, err, test.want)
		}
	}
}
