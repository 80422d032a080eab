package lease

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

func openStore(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() }) // a test may have closed it already
	return s
}

func TestALeaseIsTakenAndGivenBack(t *testing.T) {
	w, kept := newWorld(t, virtualKey(1)), openStore(t, t.TempDir())
	d, _ := begin(t, w, kept)
	ci := token("ci")
	request := forMock("")
	request.Purpose, request.Keep = "run 17", true
	l := mustTake(t, d, ci, request)
	if l.State != contract.LeaseActive || l.Authenticator != "key-1" || l.Fence != 1 || !strings.HasSuffix(l.ID, "-1") ||
		l.Holder != "token ci" || l.Hold != contract.HoldTTL || l.Position != 0 || !l.EndsAt.After(l.TakenAt) {
		t.Errorf("got %+v", l.Lease)
	}
	if g := w.grants[l.ID]; g.Fence != 1 || g.Owner.Lease != l.ID || g.Owner.TokenID != "token-ci" || !g.Keep || g.Purpose != "run 17" || g.Target != "mock" {
		t.Errorf("granted %+v", g)
	}
	if records, _, _ := kept.Leases(t.Context()); len(records) != 1 || records[0].State != contract.LeaseActive || !records[0].EndsAt.Equal(l.EndsAt) {
		t.Errorf("kept %+v", records)
	}
	if err := d.Check(ci, l.ID, l.Fence); err != nil {
		t.Error(err)
	}
	ended := mustRelease(t, d, ci, l.ID)
	if ended.State != contract.LeaseEnded || ended.End != contract.EndReleased || ended.EndedAt.IsZero() {
		t.Errorf("ended %+v", ended)
	}
	if records, fence, _ := kept.Leases(t.Context()); len(records) != 0 || fence != 1 {
		t.Errorf("kept %+v, fence %d", records, fence)
	}
	if len(w.opened()) != 0 || len(d.Leases()) != 0 {
		t.Errorf("open %v, listed %v", w.opened(), d.Leases())
	}
	if got := w.told(l.ID); !slices.Equal(got, []string{"active", "ending released", "ended released"}) {
		t.Errorf("told %v", got)
	}
	if text := w.events[0].Text; text != l.ID+" took key 1 for run 17 (token ci)" {
		t.Errorf("the line says %q", text)
	}
	select {
	case <-d.Ended(l.ID):
	default:
		t.Error("Ended is not closed")
	}
	if found, ok := d.Lease(l.ID); !ok || found.End != contract.EndReleased {
		t.Errorf("found %v %+v", ok, found)
	}
}

func TestTheLeasesOwnTokenIsNowhereAndDiesWithIt(t *testing.T) {
	w, kept := newWorld(t, virtualKey(1)), openStore(t, t.TempDir())
	d, _ := begin(t, w, kept)
	l := mustTake(t, d, token("ci"), forMock(""))
	if !strings.HasPrefix(l.Token, TokenPrefix) {
		t.Fatalf("the token is %q", l.Token)
	}
	if err := d.Over([]byte(l.Token)); err != nil {
		t.Errorf("while it is active: %v", err)
	}
	if found, ok := d.Token([]byte(l.Token)); !ok || found.ID != l.ID {
		t.Errorf("found %v %+v", ok, found)
	}
	for _, wrong := range []string{"", l.ID, l.Token + "x", l.Token[1:]} {
		if _, ok := d.Token([]byte(wrong)); ok || d.Over([]byte(wrong)) != nil {
			t.Errorf("%q passes for its token", wrong)
		}
	}
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(kept.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(content, []byte(strings.TrimPrefix(l.Token, TokenPrefix))) {
			t.Errorf("the token is in the file%s", suffix)
		}
	}
	own := Caller{Owner: contract.Owner{Name: l.ID, Lease: l.ID}, Rights: []contract.Right{contract.RightRead}}
	if err := d.Check(own, l.ID, l.Fence); err != nil {
		t.Error(err)
	}
	closing := make(chan struct{})
	w.mu.Lock()
	w.onClose = func(context.Context, string) []string {
		if _, ok := d.Token([]byte(l.Token)); ok {
			t.Error("it is good while the lease is ending")
		}
		close(closing)
		return nil
	}
	w.mu.Unlock()
	mustRelease(t, d, own, l.ID)
	<-closing
	wantCode(t, d.Over([]byte(l.Token)), failure.LeaseOver, "it ended: released")
	if _, ok := d.Token([]byte(l.Token)); ok {
		t.Error("it is good after the lease has ended")
	}
}

func TestWhoMayUseALeaseAndWhoNot(t *testing.T) {
	w := newWorld(t, virtualKey(1), virtualKey(2), virtualKey(3))
	d, _ := begin(t, w, &memory{})
	ci := token("ci")
	old := mustTake(t, d, ci, forMock(""))
	mustRelease(t, d, ci, old.ID)
	l := mustTake(t, d, ci, forMock(""))
	person := Caller{Owner: contract.Owner{Name: "user 1000"}, Rights: contract.Rights}
	theirs := mustTake(t, d, person, forMock(""))
	another := mustTake(t, d, token("other"), forMock(""))
	queued := takeLater(t, d, ci, forMock("1m"))
	inQueue := d.Leases()[3]

	own := func(id string) Caller { return Caller{Owner: contract.Owner{Name: "token ci", Lease: id}} }
	for _, test := range []struct {
		name  string
		by    Caller
		id    string
		fence uint64
		want  failure.Code
	}{
		{"the token that took it", ci, l.ID, l.Fence, ""},
		{"its own token", own(l.ID), l.ID, l.Fence, ""},
		{"the user that took it", person, theirs.ID, theirs.Fence, ""},
		{"another token", token("other"), l.ID, l.Fence, failure.LeaseNotYours},
		{"a token with admin", token("root", contract.RightAdmin), l.ID, l.Fence, failure.LeaseNotYours},
		{"a token of the same name", Caller{Owner: contract.Owner{TokenID: "token-2", Name: "token ci"}}, l.ID, l.Fence, failure.LeaseNotYours},
		{"a user of the token's name", Caller{Owner: contract.Owner{Name: "token ci"}}, l.ID, l.Fence, failure.LeaseNotYours},
		{"a token of the user's name", Caller{Owner: contract.Owner{TokenID: "token-3", Name: "user 1000"}}, theirs.ID, theirs.Fence, failure.LeaseNotYours},
		{"another user", Caller{Owner: contract.Owner{Name: "user 1001"}}, theirs.ID, theirs.Fence, failure.LeaseNotYours},
		{"nobody", Caller{}, theirs.ID, theirs.Fence, failure.LeaseNotYours},
		{"the token of another lease", own(another.ID), l.ID, l.Fence, failure.LeaseNotYours},
		{"an older fence", ci, l.ID, old.Fence, failure.LeaseFenced},
		{"an older fence in the id", ci, idOf(nameIn(l.ID), old.Fence), l.Fence, failure.LeaseFenced},
		{"the id it had in the queue", ci, nameIn(l.ID), l.Fence, failure.LeaseFenced},
		{"no fence", ci, l.ID, 0, failure.LeaseFenced},
		{"one that has ended", ci, old.ID, old.Fence, failure.LeaseOver},
		{"one that has ended, not theirs", token("other"), old.ID, old.Fence, failure.LeaseNotYours},
		{"one that is queued", ci, inQueue.ID, 0, failure.LeaseUnknown},
		{"one that never was", ci, "lease-000000000000-1", 1, failure.LeaseUnknown},
		{"no id", ci, "", 0, failure.LeaseUnknown},
	} {
		t.Run(test.name, func(t *testing.T) {
			if err := d.Check(test.by, test.id, test.fence); test.want == "" && err != nil {
				t.Error(err)
			} else if test.want != "" {
				wantCode(t, err, test.want)
			}
		})
	}
	queued.cancel()
	_, err := queued.wait(t)
	wantCode(t, err, failure.RequestTimeout)
}

// TestAPageOfTheOwnersUsesNoPhysicalKey: it has the identity of who opened it,
// and not that right.
func TestAPageOfTheOwnersUsesNoPhysicalKey(t *testing.T) {
	w := newWorld(t, physicalKey(1))
	d, _ := begin(t, w, &memory{})
	ci := token("ci", contract.RightPhysical)
	request := forMock("")
	request.Origin = contract.Physical
	l := mustTake(t, d, ci, request)
	page := ci
	page.Rights = []contract.Right{contract.RightRead, contract.RightLease}
	wantCode(t, d.Check(page, l.ID, l.Fence), failure.PhysicalRight)
	_, err := d.Renew(soon(t), page, l.ID, "1m")
	wantCode(t, err, failure.PhysicalRight)
	for _, by := range []Caller{ci, {Owner: contract.Owner{Lease: l.ID}}} {
		if err := d.Check(by, l.ID, l.Fence); err != nil {
			t.Error(err)
		}
	}
	mustRelease(t, d, page, l.ID) // to give it back uses nothing
}

func TestReleaseIsForItsOwnerAndForAdmin(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, &memory{})
	l := mustTake(t, d, token("ci"), forMock(""))
	_, err := d.Release(soon(t), token("other"), l.ID)
	wantCode(t, err, failure.LeaseNotYours, "token ci")
	_, err = d.Release(soon(t), token("ci"), "lease-0-1")
	wantCode(t, err, failure.LeaseUnknown)
	_, err = d.Renew(soon(t), token("root", contract.RightAdmin), l.ID, "")
	wantCode(t, err, failure.LeaseNotYours)
	mustRelease(t, d, token("root", contract.RightAdmin), l.ID)
	_, err = d.Release(soon(t), token("ci"), l.ID)
	wantCode(t, err, failure.LeaseOver, "released")
	_, err = d.Renew(soon(t), token("ci"), l.ID, "")
	wantCode(t, err, failure.LeaseOver)
}

func TestRefusals(t *testing.T) {
	locked := but(virtualKey(1), failure.KeyPINRetries, "0 of 8 tries are left, says "+"555012345678")
	locked.User = "555012345678"
	blocked := locked
	blocked.PIN.State = "blocked"
	mute := virtualKey(4)
	mute.Condition, mute.Detail = contract.Hung, "no answer"
	change := func(f func(*contract.LeaseRequest)) contract.LeaseRequest {
		r := forMock("")
		f(&r)
		return r
	}
	plain, physical := token("ci"), token("ci", contract.RightPhysical)
	for _, test := range []struct {
		name    string
		here    []contract.Authenticator
		by      Caller
		request contract.LeaseRequest
		want    failure.Code
		says    string
	}{
		{"a target there is not", nil, plain, change(func(r *contract.LeaseRequest) { r.Target = "moon" }), failure.BadRequest, "body.target"},
		{"neither level nor id", nil, plain, change(func(r *contract.LeaseRequest) { r.AAL = 0 }), failure.BadRequest, "body.aal"},
		{"too short", nil, plain, change(func(r *contract.LeaseRequest) { r.TTL = "999ms" }), failure.BadRequest, "body.ttl"},
		{"too long", nil, plain, change(func(r *contract.LeaseRequest) { r.TTL = "8h1s" }), failure.BadRequest, "body.ttl"},
		{"no duration", nil, plain, change(func(r *contract.LeaseRequest) { r.TTL = "soon" }), failure.BadRequest, "from 1s to 8h"},
		{"a wait too long", nil, plain, forMock("10m1s"), failure.BadRequest, "body.wait"},
		{"a wait backwards", nil, plain, forMock("-1s"), failure.BadRequest, "at most 10m"},
		{"physical without the right", []contract.Authenticator{physicalKey(1)}, plain, physically("1m"), failure.PhysicalRight, "physical"},
		{"a real target without the right", nil, plain, change(func(r *contract.LeaseRequest) { r.Target = "int" }), failure.PhysicalRight, "physical"},
		{"virtual at a real target", []contract.Authenticator{virtualKey(1)}, physical, change(func(r *contract.LeaseRequest) { r.Target, r.Origin = "int", contract.Virtual }), failure.LeaseUnmet, "never for int"},
		{"virtual by id at a real target", []contract.Authenticator{virtualKey(1)}, physical, change(func(r *contract.LeaseRequest) { r.Target, r.Authenticator = "int", "key-1" }), failure.LeaseUnmet, "it is virtual"},
		{"take-over without admin", []contract.Authenticator{virtualKey(1)}, plain, change(func(r *contract.LeaseRequest) { r.Takeover = true }), failure.Forbidden, "admin"},
		{"nothing here", nil, plain, forMock("1m"), failure.LeaseUnmet, "no authenticator is here"},
		{"nothing of that kind", nil, plain, change(func(r *contract.LeaseRequest) { r.Kind = contract.Smartcard }), failure.LeaseUnmet, "no smartcard is here"},
		{"no such id", []contract.Authenticator{virtualKey(1)}, plain, change(func(r *contract.LeaseRequest) { r.Authenticator = "key-9" }), failure.LeaseUnmet, "no authenticator with that id"},
		{"only a physical one", []contract.Authenticator{physicalKey(1)}, physical, forMock("1m"), failure.LeaseUnmet, "key 1 comes nearest: it is physical"},
		{"a physical one by id", []contract.Authenticator{physicalKey(1)}, physical, change(func(r *contract.LeaseRequest) { r.Authenticator = "key-1" }), failure.LeaseUnmet, "origin physical"},
		{"another kind", []contract.Authenticator{virtualKey(1)}, plain, change(func(r *contract.LeaseRequest) { r.Kind = contract.Smartcard }), failure.LeaseUnmet, "it is a security-key"},
		{"another transport", []contract.Authenticator{virtualKey(1)}, plain, change(func(r *contract.LeaseRequest) { r.Transport = "pcsc" }), failure.LeaseUnmet, "reached by hid"},
		{"not ready", []contract.Authenticator{physicalKey(7), locked}, plain, forMock("1m"), failure.LeaseUnmet, "key 1 comes nearest: "},
		{"its evidence", []contract.Authenticator{locked}, plain, forMock(""), failure.LeaseUnmet, "0 of 8 tries are left, says ***"},
		{"blocked, by id", []contract.Authenticator{blocked}, plain, change(func(r *contract.LeaseRequest) { r.Authenticator, r.AAL = "key-1", 0 }), failure.LeaseUnmet, "0 of 8 tries"},
		{"hung, by id", []contract.Authenticator{mute}, plain, change(func(r *contract.LeaseRequest) { r.Authenticator, r.AAL = "key-4", 0 }), failure.LeaseUnmet, "it is hung: no answer"},
		{"another user's", []contract.Authenticator{card(1, "555000000001")}, plain, change(func(r *contract.LeaseRequest) { r.User = "555000000002" }), failure.LeaseUnmet, "another user"},
		{"another user's key", []contract.Authenticator{bound(1, "555000000001")}, plain, change(func(r *contract.LeaseRequest) { r.User = "555000000002" }), failure.LeaseUnmet, "another user"},
		{"another user's key, by id", []contract.Authenticator{bound(1, "555000000001")}, plain, change(func(r *contract.LeaseRequest) { r.Authenticator, r.AAL, r.User = "key-1", 0, "555000000002" }), failure.LeaseUnmet, "another user"},
		{"another user's, by id", []contract.Authenticator{card(1, "555000000001")}, plain, change(func(r *contract.LeaseRequest) { r.Authenticator, r.AAL, r.User = "card-1", 0, "555000000002" }), failure.LeaseUnmet, "another user"},
	} {
		t.Run(test.name, func(t *testing.T) {
			w, kept := newWorld(t, test.here...), &memory{}
			d, end := begin(t, w, kept)
			_, err := d.Take(soon(t), test.by, test.request, func(contract.Lease) { t.Error("it was queued") })
			end()
			wantCode(t, err, test.want, test.says)
			if strings.Contains(err.Error(), "5550") {
				t.Errorf("whose it is is told: %v", err)
			}
			if len(w.events) != 0 || len(w.fresh) != 0 || kept.fence != 0 {
				t.Errorf("it left %v, read %v, fence %d", w.events, w.fresh, kept.fence)
			}
		})
	}
}

// bound is a key that the configuration says is a user's.
func bound(n int, user string) contract.Authenticator {
	a := virtualKey(n)
	a.Users = []contract.Binding{{Target: "mock", User: user, By: contract.ByConfiguration}}
	return a
}

// TestTheUsersOwnKeyIsLentFirst, before one of which nobody knows whose it is.
func TestTheUsersOwnKeyIsLentFirst(t *testing.T) {
	const ada = "555000000001"
	own := but(bound(3, ada), failure.KeyPINRetries, "not told")
	for i := range own.Checks {
		if own.Checks[i].State == contract.Fail {
			own.Checks[i].State = contract.Unknown // no better proven than another's
		}
	}
	d, _ := begin(t, newWorld(t, virtualKey(1), bound(2, "555000000002"), own), &memory{})
	r := forMock("")
	r.User = ada
	mustRelease(t, d, token("ci"), mustTake(t, d, token("ci"), r).ID) // not even after it was used last
	for _, want := range []string{"key-3", "key-1"} {
		if l := mustTake(t, d, token("ci"), r); l.Authenticator != want {
			t.Errorf("took %s, want %s", l.Authenticator, want)
		}
	}
	_, err := d.Take(soon(t), token("ci"), r, nil)
	wantCode(t, err, failure.LeaseTaken)
}

// A test may need an authenticator that is not fit to sign in, and names it.
func TestOneNamedByIdNeedNotBeReady(t *testing.T) {
	expired := but(card(1, "555000000001"), failure.CertValid, "expired")
	d, _ := begin(t, newWorld(t, expired), &memory{})
	r := forMock("")
	r.Authenticator = "card-1"
	_, err := d.Take(soon(t), token("ci"), r, nil)
	wantCode(t, err, failure.LeaseUnmet, "expired")
	r.AAL = 0
	if l := mustTake(t, d, token("ci"), r); l.Authenticator != "card-1" {
		t.Errorf("got %+v", l.Lease)
	}
}

func TestTheMockNeverTakesAPhysicalOne(t *testing.T) {
	w := newWorld(t, physicalKey(1), virtualKey(2), physicalKey(3))
	d, _ := begin(t, w, &memory{})
	all := token("ci", contract.RightPhysical)
	for range 100 {
		l := mustTake(t, d, all, forMock("1m"))
		if l.Authenticator != "key-2" || l.Origin != contract.Virtual {
			t.Fatalf("took %s", l.Authenticator)
		}
		mustRelease(t, d, all, l.ID)
	}
	held := mustTake(t, d, all, forMock(""))
	_, err := d.Take(soon(t), all, forMock(""), nil)
	wantCode(t, err, failure.LeaseTaken, "key 2 is held by token ci until")
	mustRelease(t, d, all, held.ID)
	if l := mustTake(t, d, all, physically("")); l.Origin != contract.Physical {
		t.Errorf("took %s", l.Authenticator)
	}
}

func TestAFullDiskRefusesALeaseAndLeavesNothing(t *testing.T) {
	w, kept := newWorld(t, virtualKey(1)), &memory{}
	d, _ := begin(t, w, kept)
	full := func(err error) {
		kept.mu.Lock()
		defer kept.mu.Unlock()
		kept.broken = err
	}
	full(&store.Error{Op: "write", Kind: store.ErrFull, Err: os.ErrInvalid})
	_, err := d.Take(soon(t), token("ci"), forMock(""), nil)
	wantCode(t, err, failure.DiskFull)
	full(nil)
	l, err := d.Take(soon(t), token("ci"), forMock("1m"), nil)
	if err != nil {
		t.Fatal(err)
	}
	// The end of a lease that cannot be written down is an end all the same.
	full(store.ErrFull)
	mustRelease(t, d, token("ci"), l.ID)
	full(nil)
	next := mustTake(t, d, token("ci"), forMock("1m"))
	mustRelease(t, d, token("ci"), next.ID)
	if ids := kept.ids(); len(ids) != 0 {
		t.Errorf("kept are still %v", ids)
	}
	if len(w.opened()) != 0 {
		t.Errorf("open are %v", w.opened())
	}
}
