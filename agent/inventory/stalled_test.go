package inventory

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/pcsc"
)

// freezer is a service that at times lets nobody in, and does not say no
// either.
type freezer struct {
	pcsc.System
	ice atomic.Pointer[chan struct{}] // closed when it thaws
}

func (f *freezer) Establish() (pcsc.Context, error) {
	if ice := f.ice.Load(); ice != nil {
		<-*ice
	}
	return f.System.Establish()
}

func (f *freezer) freeze() (thaw func()) {
	ice := make(chan struct{})
	f.ice.Store(&ice)
	return func() {
		f.ice.Store(nil)
		close(ice)
	}
}

// Rule 10: what the service did is not put on the card, and all is as before
// once it answers, whoever is at the machine.
func TestAServiceThatAnswersNothingIsDownUntilItAnswersAndTheCardIsNotBlamed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var service freezer
		inv, bench, stop := startCards(t, 1, nil, func(c *CardsConfig) {
			service.System = c.System
			c.System = &service
		})
		defer stop()
		card := newCard(t, "555200123456")
		must(t, bench.Insert("R0", card))
		r := wantCondition(t, inv, "R0", contract.Ready)
		readAt := inv.Snapshot().Authenticators[0].ReadAt
		apdus := card.APDUs()

		thaw := service.freeze()
		must(t, inv.Reread(r.ID))
		pass(time.Hour)
		synctest.Wait()
		if s := inv.Snapshot().Sources[0]; s.State != "down" || s.Code != string(failure.PCSCService) || s.Detail == "" {
			t.Errorf("the source is %+v", s)
		}
		wantCondition(t, inv, "R0", contract.Ready) // as last seen

		thaw()
		pass(time.Second)
		synctest.Wait()
		if s := inv.Snapshot().Sources[0]; s.State != "up" || s.Code != "" {
			t.Errorf("the source is %+v", s)
		}
		wantCondition(t, inv, "R0", contract.Ready)
		if a := inv.Snapshot().Authenticators[0]; !a.ReadAt.After(readAt) {
			t.Error("it was not read anew")
		}
		if card.APDUs() != 2*apdus || card.PINTries() != 0 {
			t.Errorf("two readings cost %d APDUs, one %d; %d PIN tries", card.APDUs(), apdus, card.PINTries())
		}
	})
}

// Not even the beginning waits without a word.
func TestAServiceThatAnswersNothingAtTheBeginningIsDownUntilItDoes(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var service freezer
		thaw := service.freeze()
		inv, bench, stop := startCards(t, 1, nil, func(c *CardsConfig) {
			service.System = c.System
			c.System = &service
		})
		defer stop()
		state := func(want string, code failure.Code) {
			t.Helper()
			synctest.Wait()
			if s := inv.Snapshot().Sources[0]; s.State != want || s.Code != string(code) || (s.Detail == "") != (code == "") {
				t.Errorf("the source is %+v, want %s", s, want)
			}
		}
		state("starting", "")
		pass(time.Hour)
		state("down", failure.PCSCService)
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		thaw()
		state("up", "")
		wantCondition(t, inv, "R0", contract.Ready)
	})
}

// A card that is put in while the call to the one before is still out is read
// once that has returned, however long it takes.
func TestACardBehindOneThatHangsIsReadOnceThatCallReturns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		var service freezer
		inv, bench, stop := startCards(t, 1, nil, func(c *CardsConfig) {
			service.System = c.System
			c.System = &service
		})
		defer stop()
		wantCondition(t, inv, "R0", contract.Empty)
		// The call that hangs is one to the service, which does not return with
		// the card.
		thaw := service.freeze()
		must(t, bench.Insert("R0", newCard(t, "555200000001")))
		pass(time.Minute)
		must(t, bench.Remove("R0"))
		wantCondition(t, inv, "R0", contract.Empty)
		must(t, bench.Insert("R0", newCard(t, "555200000002")))
		pass(time.Hour)
		if r := wantCondition(t, inv, "R0", contract.Hung); r.Code != string(failure.CardHung) {
			t.Errorf("the reader is %+v", r)
		}
		thaw()
		pass(time.Second)
		wantCondition(t, inv, "R0", contract.Ready)
		if user := inv.Snapshot().Authenticators[0].User; user != "555200000002" {
			t.Errorf("the card is %s's", user)
		}
	})
}
