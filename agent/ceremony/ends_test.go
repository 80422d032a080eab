package ceremony_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/fido/vkey"
)

// waiting are the states in which a ceremony waits for a person, and how it
// comes to be in them.
var waiting = []struct {
	state  contract.CeremonyState
	config vkey.Config
	begin  func(*desk, callerOf) contract.Ceremony
	code   failure.Code // of what does not come in time
	detail string
}{
	{
		contract.CeremonyInsert,
		vkey.Config{},
		func(d *desk, by callerOf) contract.Ceremony {
			d.unplug()
			return d.begin(by, quick(creation(d.lend("l1", by), noUV)))
		},
		failure.InsertTimeout, "virtual key blue did not come in 20s",
	},
	{
		contract.CeremonyPIN,
		vkey.Config{},
		func(d *desk, by callerOf) contract.Ceremony {
			return d.begin(by, quick(creation(d.lend("l1", by))))
		},
		failure.PINRequired, "nobody entered the PIN of virtual key blue in 20s",
	},
	{
		contract.CeremonyTouch,
		vkey.Config{Touch: vkey.TouchNever},
		func(d *desk, by callerOf) contract.Ceremony {
			return d.begin(by, quick(creation(d.lend("l1", by), noUV)))
		},
		failure.TouchTimeout, "nobody touched virtual key blue in 20s",
	},
	{
		contract.CeremonyRunning,
		vkey.Config{Faults: []vkey.Fault{{Name: vkey.Slow, Delay: 300 * time.Millisecond}}},
		func(d *desk, by callerOf) contract.Ceremony {
			return d.begin(by, quick(creation(d.lend("l1", by), noUV)))
		},
		"", "",
	},
}

func quick(r contract.CeremonyRequest) contract.CeremonyRequest {
	r.Timeout = "20s"
	return r
}

// works holds that the next ceremony succeeds, without replugging and within
// 2 s.
func (d *desk) works(g contract.Ceremony) {
	d.t.Helper()
	if !d.plugged {
		d.plug()
	}
	if err := d.key.SetTouch(vkey.TouchAuto); err != nil {
		d.t.Fatal(err)
	}
	if err := d.key.SetFaults(); err != nil {
		d.t.Fatal(err)
	}
	lent := d.lendAgain(g.Lease)
	d.does(user, creation(lent, noUV))
}

func TestEachStateIsCancelled(t *testing.T) {
	t.Parallel()
	for _, w := range waiting {
		t.Run(string(w.state), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, w.config)
			c := w.begin(d, user)
			d.reaches(c.ID, w.state)
			ended, err := d.c.Cancel(soon(t), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			d.isFailed(ended, contract.CeremonyCancelled, failure.CeremonyCancelled)
			if ended.Problem.Detail != "on request" || ended.Problem.DOMException != "AbortError" {
				t.Errorf("problem %+v", ended.Problem)
			}
			if again, err := d.c.Cancel(soon(t), c.ID); err != nil || again.State != contract.CeremonyCancelled {
				t.Errorf("cancelled again: %v, %v", again.State, err)
			}
			d.works(c)
		})
	}
}

func TestTheEndOfALeaseEndsEachState(t *testing.T) {
	t.Parallel()
	for _, w := range waiting {
		t.Run(string(w.state), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, w.config)
			c := w.begin(d, user)
			d.reaches(c.ID, w.state)
			d.c.Close(soon(t), "l1", contract.EndExpired)
			ended, _, ok := d.c.Ceremony(c.ID)
			if !ok {
				t.Fatal("the ceremony is forgotten")
			}
			d.isFailed(ended, contract.CeremonyCancelled, failure.CeremonyCancelled)
			if !strings.Contains(ended.Problem.Detail, "expired") {
				t.Errorf("detail %q", ended.Problem.Detail)
			}
			d.refuses(user, creation(d.grant("l1", user)), failure.LeaseUnknown)
			d.works(c)
		})
	}
}

func TestEachStateHasItsTime(t *testing.T) {
	t.Parallel()
	for _, w := range waiting {
		if w.code == "" {
			continue
		}
		t.Run(string(w.state), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				d := newDesk(t, w.config)
				begun := time.Now()
				c := d.await(w.begin(d, user).ID)
				d.isFailed(c, contract.CeremonyTimedOut, w.code)
				if c.Problem.Detail != w.detail {
					t.Errorf("detail %q", c.Problem.Detail)
				}
				if after := time.Since(begun); after < 20*time.Second || after > 22*time.Second {
					t.Errorf("it ended after %v", after)
				}
				d.works(c)
			})
		})
	}
}

func TestTheKeyItselfGivesUpWaitingForATouch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{Touch: vkey.TouchNever, TouchTimeout: 10 * time.Second})
		c := d.fails(ci, creation(d.lend("l1", ci), noUV), contract.CeremonyTimedOut, failure.TouchTimeout)
		if c.Problem.DOMException != "NotAllowedError" {
			t.Errorf("problem %+v", c.Problem)
		}
	})
}

func TestAMuteKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{Faults: []vkey.Fault{{Name: vkey.Mute}}})
		c := d.fails(user, creation(d.lend("l1", user), noUV), contract.CeremonyFailed, failure.KeyMute)
		d.works(c)
	})
}

func TestTheStatesOfAKeyThatIsPutBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", user)
	d.unplug()
	c := d.begin(user, creation(g, noUV))
	d.reaches(c.ID, contract.CeremonyInsert)
	d.plug()
	var states []contract.CeremonyState
	for _, s := range d.await(c.ID).Steps {
		states = append(states, s.State)
	}
	if want := []contract.CeremonyState{"queued", "running", "insert", "running", "done"}; !slices.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
}

func TestAnUnpluggedKeyIsWaitedFor(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", user)
	d.unplug()
	c := d.begin(user, creation(g))
	at := d.reaches(c.ID, contract.CeremonyInsert)
	if at.Prompt == nil || at.Prompt.Text != "Plug virtual key blue in again, for run 17" {
		t.Errorf("prompt %+v", at.Prompt)
	}
	d.plug()
	d.reaches(c.ID, contract.CeremonyPIN)
	// While the PIN is entered nothing was sent yet: it may go and come.
	d.unplug()
	seen := d.seenEvents()
	if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); err != nil {
		t.Fatal(err)
	}
	d.untilAfter(seen, "another prompt to plug it in", func(e contract.Event) bool {
		return e.Ceremony != nil && e.Ceremony.State == contract.CeremonyInsert
	})
	d.plug()
	if c = d.await(c.ID); c.State != contract.CeremonyDone {
		t.Errorf("%s: %+v", c.State, c.Problem)
	}
}

func TestAKeyThatGoesInTheMiddle(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
	g := d.lend("l1", user)
	c := d.begin(user, withPIN(creation(g, residentKey), pin))
	d.reaches(c.ID, contract.CeremonyTouch)
	d.unplug()
	ended := d.await(c.ID)
	d.isFailed(ended, contract.CeremonyFailed, failure.KeyGone)
	if !strings.Contains(ended.Problem.Detail, "may have made the credential") {
		t.Errorf("detail %q", ended.Problem.Detail)
	}
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 1 {
		t.Errorf("traces %+v", traces)
	}
	d.works(c)
	// Nobody gave the PIN again, so nobody can look.
	if remarks := d.close(g); len(remarks) != 1 || !strings.Contains(remarks[0], "may still hold") {
		t.Errorf("remarks %q", remarks)
	}
}

func TestALateSuccessIsUndone(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
	d.onCancel = func() { d.key.Touch() } // the finger is faster
	g := d.lend("l1", ci)
	c := d.begin(ci, withPIN(creation(g, residentKey), pin))
	d.reaches(c.ID, contract.CeremonyTouch)
	ended, err := d.c.Cancel(soon(t), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	d.isFailed(ended, contract.CeremonyCancelled, failure.CeremonyCancelled)
	const text = "a discoverable credential was made all the same, and deleted again"
	if !strings.Contains(ended.Problem.Detail, text) {
		t.Errorf("detail %q", ended.Problem.Detail)
	}
	d.until("what became of it", func(e contract.Event) bool { return strings.Contains(e.Text, text) })
	if traces, _ := d.store.Traces(t.Context(), "l1"); len(traces) != 0 {
		t.Errorf("traces %+v", traces)
	}
	if err := d.key.SetTouch(vkey.TouchAuto); err != nil {
		t.Fatal(err)
	}
	d.fails(ci, withPIN(request(g), pin), contract.CeremonyFailed, failure.WebAuthnNone)
	if remarks := d.close(g); remarks != nil {
		t.Errorf("remarks %q", remarks)
	}
}

// A ceremony that ends once the credential is made, while the key is being given
// the PIN for its deletion, cuts nothing off and leaves nothing behind.
func TestASuccessIsUndoneThatWasNotToldYet(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
		g := d.lend("l1", ci)
		c := d.begin(ci, withPIN(creation(g, residentKey), pin))
		d.reaches(c.ID, contract.CeremonyTouch)
		if err := d.key.SetFaults(vkey.Fault{Name: vkey.Slow, Delay: 100 * time.Millisecond}); err != nil {
			t.Fatal(err)
		}
		before := d.key.Stats()
		if !d.key.Touch() {
			t.Fatal("it does not wait for a touch")
		}
		<-time.After(250 * time.Millisecond)
		// getPINRetries, getKeyAgreement, and the PIN, which is not answered yet.
		if now := d.key.Stats(); now.Messages != before.Messages+3 || now.PINTries != before.PINTries {
			t.Fatalf("the key has %+v, had %+v", now, before)
		}
		ended, err := d.c.Cancel(soon(t), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		d.isFailed(ended, contract.CeremonyCancelled, failure.CeremonyCancelled)
		if !strings.Contains(ended.Problem.Detail, "a discoverable credential was made all the same, and deleted again") {
			t.Errorf("detail %q", ended.Problem.Detail)
		}
		if blocks := d.c.Blocks(); len(blocks) != 0 {
			t.Errorf("blocked: %+v", blocks)
		}
		if err := errors.Join(d.key.SetTouch(vkey.TouchAuto), d.key.SetFaults()); err != nil {
			t.Fatal(err)
		}
		d.fails(ci, withPIN(request(g), pin), contract.CeremonyFailed, failure.WebAuthnNone)
		if remarks := d.close(g); remarks != nil {
			t.Errorf("remarks %q", remarks)
		}
	})
}

func TestALateSuccessThatLeavesNothingIsTold(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	made := registration(t, d.does(ci, creation(g, noUV)))
	if err := d.key.SetTouch(vkey.TouchCommand); err != nil {
		t.Fatal(err)
	}
	d.onCancel = func() { d.key.Touch() }
	for text, r := range map[string]contract.CeremonyRequest{
		"of which the key keeps nothing":       creation(g, noUV),
		"signed all the same, and thrown away": request(g, allow(made), noUVOnGet),
	} {
		c := d.begin(ci, r)
		d.reaches(c.ID, contract.CeremonyTouch)
		ended, err := d.c.Cancel(soon(t), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		d.isFailed(ended, contract.CeremonyCancelled, failure.CeremonyCancelled)
		if !strings.Contains(ended.Problem.Detail, text) {
			t.Errorf("detail %q, want %q", ended.Problem.Detail, text)
		}
	}
}

func TestACancelThatIsNotAnswered(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
	d.onCancel = func() {} // nobody hears it
	g := d.lend("l1", user)
	c := d.begin(user, creation(g, noUV))
	d.reaches(c.ID, contract.CeremonyTouch)
	ended, err := d.c.Cancel(soon(t), c.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(ended.Problem.Detail, "may have made the credential") {
		t.Errorf("detail %q", ended.Problem.Detail)
	}
	d.onCancel = nil
	d.works(c)
}

func TestOneCeremonyAtATime(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", user)
	const many = 50
	var wait sync.WaitGroup
	errs := make(chan error, many)
	for range many {
		wait.Go(func() {
			_, err := d.c.Begin(soon(t), user, creation(g))
			errs <- err
		})
	}
	wait.Wait()
	close(errs)
	begun := 0
	for err := range errs {
		switch failure.CodeOf(err) {
		case "":
			begun++
		case failure.CeremonyBusy:
		default:
			t.Error(err)
		}
	}
	if begun != 1 || len(d.c.Ceremonies()) != 1 {
		t.Errorf("%d began, %d are there", begun, len(d.c.Ceremonies()))
	}
}

// TestTheEndIsToldBeforeTheNextBegins, though the next may begin before that.
func TestTheEndIsToldBeforeTheNextBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{})
		g := d.lend("l1", ci)
		second := make(chan contract.Ceremony, 1)
		d.onTell = func(e contract.Event) {
			if e.Ceremony.State == contract.CeremonyDone {
				d.onTell = nil
				go func() { second <- d.begin(ci, creation(g, noUV)) }()
				synctest.Wait()
			}
		}
		first := d.does(ci, creation(g, noUV))
		next := d.await((<-second).ID)
		var order []string
		for _, e := range d.events {
			order = append(order, e.Subject)
		}
		want := slices.Concat(slices.Repeat([]string{first.ID}, len(first.Steps)), slices.Repeat([]string{next.ID}, len(next.Steps)))
		if !slices.Equal(order, want) {
			t.Errorf("told of %q, want %q", order, want)
		}
	})
}

func TestManyWrongPINsCostOneTry(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	for range 2 {
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				for {
					c, err := d.c.Begin(soon(t), ci, withPIN(creation(g), "000000"))
					var busy *failure.Error
					if errors.As(err, &busy) && busy.Code == failure.CeremonyBusy {
						_, _ = d.c.Await(soon(t), busy.Detail)
						continue
					}
					if err != nil {
						t.Error(err)
						return
					}
					if c, err = d.c.Await(soon(t), c.ID); err != nil || c.State != contract.CeremonyFailed {
						t.Errorf("%s, %v", c.State, err)
					}
					return
				}
			})
		}
		wait.Wait()
		if n := d.key.Stats().PINTries; n != 1 {
			t.Errorf("%d PINs were sent", n)
		}
		d.stop()
		d.start() // what it knew is gone; the block is not
		d.open(g)
	}
}

func TestARestartEndsWhatWasUnderWay(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchNever})
	g := d.lend("l1", user)
	c := d.begin(user, creation(g, noUV))
	d.reaches(c.ID, contract.CeremonyTouch)
	left, err := d.store.Ceremonies(t.Context())
	if err != nil || len(left) != 1 {
		t.Fatalf("stored: %v, %v", left, err)
	}
	killed := &memory{ceremonies: left}
	d.stop()
	d.store = killed
	d.start()
	ended, owner, ok := d.c.Ceremony(c.ID)
	if !ok || owner.Lease != "l1" {
		t.Fatalf("the ceremony is %+v of %+v", ended, owner)
	}
	d.isFailed(ended, contract.CeremonyFailed, failure.CeremonyCutOff)
	if left, _ := d.store.Ceremonies(t.Context()); len(left) != 0 {
		t.Errorf("not over: %+v", left)
	}
	d.until("that it was cut off", func(e contract.Event) bool {
		return e.Subject == c.ID && e.Ceremony.Problem != nil && e.Ceremony.Problem.Code == string(failure.CeremonyCutOff)
	})
	d.open(g)
	if _, owner, _ := d.c.Ceremony(c.ID); owner.Name != user.Name {
		t.Errorf("the ceremony is that of %+v", owner)
	}
	d.works(c)
}

// TestALeaseThatEndsWhileACeremonyBegins: the ceremony ends with it, and the
// authenticator is not left before.
func TestALeaseThatEndsWhileACeremonyBegins(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(t, vkey.Config{})
		g := d.lend("l1", ci)
		var closed sync.WaitGroup
		d.store.onPut = func() {
			d.store.onPut = nil
			closed.Go(func() { d.close(g) })
			synctest.Wait()
			if len(d.claims) != 1 {
				t.Error("the key is left already")
			}
		}
		c := d.begin(ci, creation(g, noUV))
		d.isFailed(d.await(c.ID), contract.CeremonyCancelled, failure.CeremonyCancelled)
		closed.Wait()
	})
}

func TestShutdownEndsAll(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchNever})
	g := d.lend("l1", user)
	c := d.begin(user, creation(g, noUV))
	d.reaches(c.ID, contract.CeremonyTouch)
	d.stop()
	ended, _, _ := d.c.Ceremony(c.ID)
	d.isFailed(ended, contract.CeremonyCancelled, failure.CeremonyCancelled)
	if len(d.claims) != 0 {
		t.Errorf("claims %v", d.claims)
	}
	if err := d.c.Open(soon(t), g); failure.CodeOf(err) != failure.ShuttingDown {
		t.Error(err)
	}
	if len(d.claims) != 0 {
		t.Errorf("claims %v", d.claims)
	}
	if remarks := d.close(g); remarks != nil {
		t.Errorf("remarks %q", remarks)
	}
}

func TestNothingIsDoneThatCannotBeWrittenDown(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchCommand})
	g := d.lend("l1", ci)
	full := errors.New("the disk is full")
	d.store.breaks(full, nil)
	if _, err := d.c.Begin(soon(t), ci, creation(g, noUV)); !errors.Is(err, full) {
		t.Error(err)
	}
	d.store.breaks(nil, full)
	for { // the station hears at once that the first is off, or soon
		c, err := d.c.Begin(soon(t), ci, withPIN(creation(g, residentKey), pin))
		if failure.CodeOf(err) == failure.CeremonyBusy {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		d.isFailed(d.await(c.ID), contract.CeremonyFailed, failure.Internal)
		break
	}
	// It was not asked for a touch.
	for _, e := range d.events {
		if e.Ceremony != nil && e.Ceremony.State == contract.CeremonyTouch {
			t.Errorf("event %+v", e)
		}
	}
}

// TestAKeyIsUnpluggedInEachState: while nothing was sent it is waited for; else
// the ceremony fails, and the next one succeeds.
func TestAKeyIsUnpluggedInEachState(t *testing.T) {
	t.Parallel()
	for _, w := range waiting {
		t.Run(string(w.state), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t, w.config)
			c := w.begin(d, user)
			d.reaches(c.ID, w.state)
			if w.state != contract.CeremonyInsert {
				d.unplug()
			}
			switch w.state {
			case contract.CeremonyPIN:
				if err := d.c.Answer(soon(t), user, c.ID, []byte(pin)); err != nil {
					t.Fatal(err)
				}
				fallthrough
			case contract.CeremonyInsert:
				d.reaches(c.ID, contract.CeremonyInsert)
				d.plug()
				if ended := d.await(c.ID); ended.State != contract.CeremonyDone {
					t.Errorf("%s: %+v", ended.State, ended.Problem)
				}
			case contract.CeremonyTouch:
				d.isFailed(d.await(c.ID), contract.CeremonyFailed, failure.KeyGone)
			default:
				// As it happens, before anything was sent or after.
				if _, err := d.c.Cancel(soon(t), c.ID); err != nil {
					t.Fatal(err)
				}
			}
			d.works(c)
		})
	}
}

func TestTwoWhoCloseALeaseHearTheSame(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{})
	g := d.lend("l1", ci)
	d.does(ci, withPIN(creation(g, residentKey), pin))
	heard := make(chan []string, 2)
	var wait sync.WaitGroup
	for range 2 {
		wait.Go(func() { heard <- d.c.Close(soon(t), "l1", contract.EndReleased) })
	}
	wait.Wait()
	for range 2 {
		// Who comes after the end finds no lease.
		if remarks := <-heard; len(remarks) > 1 || len(remarks) == 1 && !strings.Contains(remarks[0], "deleted") {
			t.Errorf("remarks %q", remarks)
		}
	}
}

// TestManyKeysAtOnce: ceremonies of one authenticator do not wait for those of
// another.
func TestManyKeysAtOnce(t *testing.T) {
	t.Parallel()
	d := newDesk(t, vkey.Config{Touch: vkey.TouchNever})
	red, err := vkey.New(vkey.Config{Name: "red"})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.bus.Plug(red); err != nil {
		t.Fatal(err)
	}
	c := d.begin(user, creation(d.lend("l1", user), noUV))
	d.reaches(c.ID, contract.CeremonyTouch)
	g := d.grant("l2", ci)
	g.Authenticator.ID = "key-red"
	d.open(g)
	d.does(ci, creation(g, noUV))
	if other, _, _ := d.c.Ceremony(c.ID); other.State != contract.CeremonyTouch {
		t.Errorf("the other is %s", other.State)
	}
}
