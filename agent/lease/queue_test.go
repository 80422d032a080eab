package lease

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

func TestTheQueueIsServedInItsOrder(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, &memory{})
	first := mustTake(t, d, token("first"), forMock(""))
	var waits []*pendingTake
	for i := range 5 {
		r := forMock("10m")
		r.Purpose = fmt.Sprint("run ", i)
		waits = append(waits, takeLater(t, d, token(fmt.Sprint(i)), r))
	}
	list := d.Leases()
	if len(list) != 6 || list[0].ID != first.ID {
		t.Fatalf("listed %+v", list)
	}
	for i, l := range list[1:] {
		if l.Position != i+1 || l.State != contract.LeaseQueued || l.Purpose != fmt.Sprint("run ", i) || l.Fence != 0 ||
			!strings.HasPrefix(l.Waiting, "key 1 is held by token first until ") {
			t.Errorf("in place %d there is %+v", i+1, l)
		}
		if found, ok := d.Lease(l.ID); !ok || found.Position != i+1 {
			t.Errorf("found %v %+v", ok, found)
		}
	}
	_, err := d.Take(soon(t), token("late"), forMock(""), nil)
	wantCode(t, err, failure.LeaseTaken, "key 1 is held by token first")

	mustRelease(t, d, token("first"), first.ID)
	var fence uint64
	for i, p := range waits {
		l, err := p.wait(t)
		if err != nil || l.Fence <= fence || nameIn(l.ID) != list[i+1].ID {
			t.Fatalf("place %d got %+v, %v", i+1, l.Lease, err)
		}
		fence = l.Fence
		for _, later := range waits[i+1:] {
			select {
			case <-later.done:
				t.Errorf("one behind place %d was served", i+1)
			default:
			}
		}
		mustRelease(t, d, token(fmt.Sprint(i)), l.ID)
	}
	if got := w.told(list[2].ID); !slices.Equal(got, []string{"queued", "active", "ending released", "ended released"}) {
		t.Errorf("told %v", got)
	}
}

// What comes free goes to the oldest whom it suits, not to the oldest.
func TestWhatComesFreeGoesToTheOldestItSuits(t *testing.T) {
	d, _ := begin(t, newWorld(t, virtualKey(1), card(2, "555000000002")), &memory{})
	ci := token("ci")
	want := func(kind contract.Kind) contract.LeaseRequest {
		r := forMock("10m")
		r.Kind = kind
		return r
	}
	heldKey, heldCard := mustTake(t, d, ci, want(contract.SecurityKey)), mustTake(t, d, ci, want(contract.Smartcard))
	forKey := takeLater(t, d, ci, want(contract.SecurityKey))
	forCard := takeLater(t, d, ci, want(contract.Smartcard))
	forAny := takeLater(t, d, ci, forMock("10m"))
	mustRelease(t, d, ci, heldCard.ID)
	if l, err := forCard.wait(t); err != nil || l.Authenticator != "card-2" {
		t.Fatalf("got %+v, %v", l.Lease, err)
	}
	mustRelease(t, d, ci, forCard.lease.ID)
	if l, err := forAny.wait(t); err != nil || l.Authenticator != "card-2" {
		t.Fatalf("got %+v, %v", l.Lease, err)
	}
	mustRelease(t, d, ci, heldKey.ID)
	if l, err := forKey.wait(t); err != nil || l.Authenticator != "key-1" {
		t.Fatalf("got %+v, %v", l.Lease, err)
	}
}

// One who waits for what was unplugged waits on, and is told so.
func TestTheQueueMovesWithTheInventory(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, &memory{})
	held := mustTake(t, d, token("ci"), forMock(""))
	p := takeLater(t, d, token("ci"), forMock("10m"))
	w.see()
	eventually(t, "it says that nothing will do", func() bool {
		l := d.Leases()[1]
		return l.Waiting == "nothing here will do now: no authenticator is here" && l.Position == 1
	})
	mustRelease(t, d, token("ci"), held.ID)
	select {
	case <-p.done:
		t.Fatalf("it waits no more: %v", p.err)
	default:
	}
	w.see(virtualKey(2))
	if l, err := p.wait(t); err != nil || l.Authenticator != "key-2" {
		t.Errorf("got %+v, %v", l.Lease, err)
	}
}

// At the start nobody knows yet what is here.
func TestWhoWaitsMayComeBeforeTheSources(t *testing.T) {
	w := newWorld(t)
	w.snapshot.Sources[0].State = "starting"
	d, _ := begin(t, w, &memory{})
	_, err := d.Take(soon(t), token("ci"), forMock(""), nil)
	wantCode(t, err, failure.LeaseUnmet)
	p := takeLater(t, d, token("ci"), forMock("10m"))
	w.see(virtualKey(1))
	if l, err := p.wait(t); err != nil || l.Authenticator != "key-1" {
		t.Errorf("got %+v, %v", l.Lease, err)
	}
}

// Nor who asks for one by its id is refused because another is here already.
func TestWhoWaitsForOneMayComeBeforeItIsRead(t *testing.T) {
	for name, unread := range map[string]func(*contract.Snapshot){
		"a source that has not looked": func(s *contract.Snapshot) { s.Sources[0].State = "starting" },
		"a card that was not read":     func(s *contract.Snapshot) { s.Readers = []contract.Reader{{Condition: contract.Present}} },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, virtualKey(1))
			unread(w.snapshot)
			d, _ := begin(t, w, &memory{})
			r := contract.LeaseRequest{Requirement: contract.Requirement{Authenticator: "card-2", Target: "mock"}, Wait: "10m"}
			p := takeLater(t, d, token("ci"), r)
			w.see(virtualKey(1), card(2, "555000000002"))
			if l, err := p.wait(t); err != nil || l.Authenticator != "card-2" {
				t.Errorf("got %+v, %v", l.Lease, err)
			}
		})
	}
}

func TestEqualsAreUsedInTurn(t *testing.T) {
	d, _ := begin(t, newWorld(t, virtualKey(1), virtualKey(2), virtualKey(3)), &memory{})
	var order []string
	for range 6 {
		l := mustTake(t, d, token("ci"), forMock(""))
		order = append(order, l.Authenticator)
		mustRelease(t, d, token("ci"), l.ID)
	}
	if !slices.Equal(order, []string{"key-1", "key-2", "key-3", "key-1", "key-2", "key-3"}) {
		t.Errorf("used %v", order)
	}
}

func TestATakeOverEndsTheLeaseInTheWayAndComesFirst(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, &memory{})
	held := mustTake(t, d, token("ci"), forMock(""))
	waits := takeLater(t, d, token("other"), forMock("10m"))
	left := make(chan struct{})
	w.mu.Lock()
	w.onClose = func(context.Context, string) []string { <-left; return []string{"a PIN was left"} }
	w.mu.Unlock()
	r := forMock("")
	r.Takeover = true
	root := token("root", contract.RightAdmin)
	p := takeLater(t, d, root, r)
	if l, _ := d.Lease(held.ID); l.State != contract.LeaseEnding || l.End != contract.EndTakeover {
		t.Errorf("it is %+v", l)
	}
	wantCode(t, d.Check(token("ci"), held.ID, held.Fence), failure.LeaseOver, "taken over")
	close(left)
	got, err := p.wait(t)
	if err != nil || got.Authenticator != "key-1" {
		t.Fatalf("got %+v, %v", got.Lease, err)
	}
	if l, _ := d.Lease(held.ID); l.State != contract.LeaseEnded || !slices.Equal(l.Remarks, []string{"a PIN was left"}) {
		t.Errorf("it is %+v", l)
	}
	mustRelease(t, d, root, got.ID)
	if _, err := waits.wait(t); err != nil {
		t.Error(err)
	}
}

func TestATakeOverTakesWhatIsFree(t *testing.T) {
	d, _ := begin(t, newWorld(t, virtualKey(1), virtualKey(2)), &memory{})
	held := mustTake(t, d, token("ci"), forMock(""))
	r := forMock("")
	r.Takeover = true
	mustTake(t, d, token("root", contract.RightAdmin), r)
	if l, _ := d.Lease(held.ID); l.State != contract.LeaseActive {
		t.Errorf("it is %+v", l)
	}
}

func TestARevokedTokenHoldsNothing(t *testing.T) {
	d, _ := begin(t, newWorld(t, virtualKey(1), virtualKey(2)), &memory{})
	person := Caller{Owner: contract.Owner{Name: "user 1000"}}
	theirs := mustTake(t, d, person, forMock(""))
	held := mustTake(t, d, token("ci"), forMock(""))
	waits := takeLater(t, d, token("ci"), forMock("10m"))
	d.Revoked("")
	d.Revoked("token-ci")
	_, err := waits.wait(t)
	wantCode(t, err, failure.Unauthorized, "revoked")
	<-d.Ended(held.ID)
	if l, _ := d.Lease(held.ID); l.End != contract.EndRevoked {
		t.Errorf("it is %+v", l)
	}
	if _, ok := d.Token([]byte(held.Token)); ok {
		t.Error("its own token outlives the token that took it")
	}
	if err := d.Check(person, theirs.ID, theirs.Fence); err != nil {
		t.Error(err)
	}
}

func TestALeaseEndsWithTheConnectionThatHoldsIt(t *testing.T) {
	d, _ := begin(t, newWorld(t, virtualKey(1), virtualKey(2)), &memory{})
	r := forMock("")
	byTime := mustTake(t, d, token("ci"), r)
	r.Hold = contract.HoldConnection
	held := mustTake(t, d, token("ci"), r)
	d.Dropped(byTime.ID)
	d.Dropped(held.ID)
	d.Dropped("lease-0-1")
	<-d.Ended(held.ID)
	if l, _ := d.Lease(held.ID); l.End != contract.EndConnection {
		t.Errorf("it is %+v", l)
	}
	if l, _ := d.Lease(byTime.ID); l.State != contract.LeaseActive {
		t.Errorf("it is %+v", l)
	}
}

func TestAPlaceInTheQueueCanBeGivenUp(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, &memory{})
	held := mustTake(t, d, token("ci"), forMock(""))
	byID, byCaller, last := takeLater(t, d, token("a"), forMock("10m")), takeLater(t, d, token("b"), forMock("10m")), takeLater(t, d, token("c"), forMock("10m"))
	list := d.Leases()
	_, err := d.Release(soon(t), token("b"), list[1].ID)
	wantCode(t, err, failure.LeaseNotYours)
	if l := mustRelease(t, d, token("a"), list[1].ID); l.State != contract.LeaseEnded || l.End != contract.EndGaveUp {
		t.Errorf("it is %+v", l)
	}
	_, err = byID.wait(t)
	wantCode(t, err, failure.LeaseOver)
	byCaller.cancel()
	_, err = byCaller.wait(t)
	wantCode(t, err, failure.RequestTimeout)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("the cause is not told: %v", err)
	}
	<-d.Ended(list[2].ID)
	if now := d.Leases(); len(now) != 2 || now[1].ID != list[3].ID || now[1].Position != 1 {
		t.Errorf("listed %+v", now)
	}
	if got := w.told(list[2].ID); !slices.Equal(got, []string{"queued", "ended gave_up"}) {
		t.Errorf("told %v", got)
	}
	mustRelease(t, d, token("ci"), held.ID)
	if _, err := last.wait(t); err != nil {
		t.Error(err)
	}
}

func TestLeasesThatHaveEndedAreForgottenInTheEnd(t *testing.T) {
	d, _ := begin(t, newWorld(t, virtualKey(1)), &memory{})
	var ids, secrets []string
	for range endedKept + 1 {
		l := mustTake(t, d, token("ci"), forMock(""))
		mustRelease(t, d, token("ci"), l.ID)
		ids, secrets = append(ids, l.ID), append(secrets, l.Token)
	}
	wantCode(t, d.Check(token("ci"), ids[0], 1), failure.LeaseUnknown)
	wantCode(t, d.Check(token("ci"), ids[1], 2), failure.LeaseOver)
	if err := d.Over([]byte(secrets[0])); err != nil {
		t.Errorf("the oldest token: %v", err)
	}
	wantCode(t, d.Over([]byte(secrets[1])), failure.LeaseOver)
	if names, tokens := len(d.index.byName), len(d.index.tokens); names != endedKept || tokens != endedKept {
		t.Errorf("%d are known, and %d tokens", names, tokens)
	}
}

// TestWhatIsRememberedOfASnapshotIsBounded: as long as somebody waits and nothing
// changes, others may ask for whatever comes to their mind.
func TestWhatIsRememberedOfASnapshotIsBounded(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, &memory{})
	first := mustTake(t, d, token("first"), forMock(""))
	waits := takeLater(t, d, token("second"), forMock("10m"))
	for n := range 2*mostLooks + 1 {
		r := forMock("")
		r.Authenticator = fmt.Sprint("key-of-nobody-", n)
		_, err := d.Take(soon(t), token("curious"), r, nil)
		wantCode(t, err, failure.LeaseUnmet, "no authenticator with that id")
	}
	var remembered int
	if err := d.order(soon(t), func(o *owner) { remembered = len(o.looks) }); err != nil {
		t.Fatal(err)
	}
	if err := d.order(soon(t), func(*owner) {}); err != nil { // the one before is done
		t.Fatal(err)
	}
	if remembered == 0 || remembered > mostLooks {
		t.Errorf("%d surveys are remembered", remembered)
	}
	mustRelease(t, d, token("first"), first.ID)
	if _, err := waits.wait(t); err != nil {
		t.Error(err)
	}
}
