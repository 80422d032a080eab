package lease

import (
	"context"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

func sumOf(secret string) [sha256.Size]byte { return sha256.Sum256([]byte(secret)) }

func TestWhatARestartMakesOfALease(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		name   string
		record store.Lease
		want   contract.LeaseEnd
	}{
		{"it has time left", store.Lease{Lease: contract.Lease{State: contract.LeaseActive, Hold: contract.HoldTTL, EndsAt: now.Add(1)}}, ""},
		{"its time is up", store.Lease{Lease: contract.Lease{State: contract.LeaseActive, Hold: contract.HoldTTL, EndsAt: now}}, contract.EndExpired},
		{"its token has expired", store.Lease{Lease: contract.Lease{State: contract.LeaseActive, EndsAt: now}, Expires: now}, contract.EndRevoked},
		{"its token was revoked", store.Lease{Lease: contract.Lease{State: contract.LeaseActive, EndsAt: now.Add(1)}, Expires: now.Add(-1)}, contract.EndRevoked},
		{"its token has time left", store.Lease{Lease: contract.Lease{State: contract.LeaseActive, EndsAt: now.Add(1)}, Expires: now.Add(1)}, ""},
		{"held by a connection", store.Lease{Lease: contract.Lease{State: contract.LeaseActive, Hold: contract.HoldConnection, EndsAt: now.Add(1)}}, contract.EndRestart},
		{"it was being left", store.Lease{Lease: contract.Lease{State: contract.LeaseEnding, End: contract.EndTakeover, EndsAt: now.Add(1)}}, contract.EndTakeover},
		{"it was being given", store.Lease{Lease: contract.Lease{State: contract.LeaseEnding, End: contract.EndRestart, EndsAt: now.Add(1)}}, contract.EndRestart},
		{"no state that is known", store.Lease{Lease: contract.Lease{EndsAt: now.Add(1)}}, contract.EndRestart},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := revive(&test.record, now); got != test.want {
				t.Errorf("it ends as %q, want %q", got, test.want)
			}
		})
	}
}

func TestALeaseLastsNoLongerWhenTheClockWasSetBack(t *testing.T) {
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	record := func(left time.Duration) *store.Lease {
		return &store.Lease{Lease: contract.Lease{State: contract.LeaseActive, Hold: contract.HoldTTL, EndsAt: now.Add(left)}}
	}
	for left, want := range map[time.Duration]time.Duration{
		time.Minute: time.Minute, longestTTL: longestTTL, longestTTL + 1: longestTTL, 1e4 * time.Hour: longestTTL,
	} {
		if e := revived(record(left), now); !e.lease.EndsAt.Equal(now.Add(want)) {
			t.Errorf("with %s left it ends in %s", left, e.lease.EndsAt.Sub(now))
		}
	}
}

// killed copies the database as a killed daemon leaves it, and opens the copy.
func killed(t *testing.T, s *store.Store) *store.Store {
	t.Helper()
	dir := t.TempDir()
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.Path() + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, store.FileName+suffix), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return openStore(t, dir)
}

func TestALeaseOutlivesAKilledDaemon(t *testing.T) {
	kept := openStore(t, t.TempDir())
	d, _ := begin(t, newWorld(t, virtualKey(1), virtualKey(2), virtualKey(3)), kept)
	r := forMock("")
	r.Purpose, r.Keep, r.TTL = "run 17", true, "1h"
	l := mustTake(t, d, token("ci"), r)
	r.Hold = contract.HoldConnection
	connected := mustTake(t, d, token("ci"), r)
	other := mustTake(t, d, token("ci"), forMock(""))
	mustRelease(t, d, token("ci"), other.ID)

	w := newWorld(t) // the sources have not looked yet
	again, _ := begin(t, w, killed(t, kept))
	<-again.Ended(connected.ID)
	if over, ok := again.Lease(connected.ID); !ok || over.End != contract.EndRestart || w.closed[connected.ID] != contract.EndRestart {
		t.Errorf("the one held by a connection is %+v, closed %v", over, w.closed)
	}
	if g := w.grants[connected.ID]; g.Authenticator.ID != connected.Authenticator {
		t.Errorf("it was closed without being open: %+v", g)
	}
	got, ok := again.Lease(l.ID)
	if !ok || got.State != contract.LeaseActive || !got.EndsAt.Equal(l.EndsAt) || got.Fence != l.Fence {
		t.Errorf("after the restart it is %+v, was %+v", got, l.Lease)
	}
	eventually(t, "it is opened again", func() bool { return w.opened()["key-1"] == l.ID })
	g := w.grants[l.ID]
	if g.Fence != l.Fence || !g.Keep || g.Purpose != "run 17" || g.Target != "mock" || g.Owner.TokenID != "token-ci" || g.Owner.Lease != l.ID ||
		g.Authenticator.Name != "key 1" || g.Authenticator.Kind != contract.SecurityKey || g.Authenticator.Origin != contract.Virtual {
		t.Errorf("granted %+v", g)
	}
	if err := again.Check(token("ci"), l.ID, l.Fence); err != nil {
		t.Error(err)
	}
	if found, ok := again.Token([]byte(l.Token)); !ok || found.ID != l.ID {
		t.Errorf("its token finds %v %+v", ok, found)
	}
	if _, ok := again.Token([]byte(connected.Token)); ok {
		t.Error("a token outlives its lease")
	}
	eventually(t, "the world sees it", func() bool {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(w.shown) == 1 && w.shown[0].ID == l.ID
	})

	// It is still lent, and the fence goes on where it was.
	w.see(virtualKey(1))
	_, err := again.Take(soon(t), token("b"), forMock(""), nil)
	wantCode(t, err, failure.LeaseTaken, "token ci for run 17")
	mustRelease(t, again, token("ci"), l.ID)
	if next := mustTake(t, again, token("b"), forMock("")); next.Fence <= other.Fence {
		t.Errorf("the fence went from %d to %d", other.Fence, next.Fence)
	}
}

// Killed at any write of a lease's life, the next start finds nothing that
// nobody has, and the authenticator is free.
func TestKilledAtEachWriteOfALease(t *testing.T) {
	kept := openStore(t, t.TempDir())
	stages := &recorder{Store: kept, copy: func() *store.Store { return killed(t, kept) }}
	d, _ := begin(t, newWorld(t, virtualKey(1)), stages)
	l := mustTake(t, d, token("ci"), forMock(""))
	mustRelease(t, d, token("ci"), l.ID)
	if len(stages.after) != 4 {
		t.Fatalf("%d writes", len(stages.after))
	}
	for i, after := range stages.after {
		w := newWorld(t, virtualKey(1))
		again, end := begin(t, w, after)
		if i == 1 { // given, so somebody may have it
			if got, ok := again.Lease(l.ID); !ok || got.State != contract.LeaseActive {
				t.Errorf("after write %d it is %+v", i, got)
			}
			mustRelease(t, again, token("ci"), l.ID)
		}
		next := mustTake(t, again, token("b"), forMock("10m"))
		if next.Fence <= l.Fence {
			t.Errorf("after write %d the fence is %d", i, next.Fence)
		}
		if got, ok := again.Lease(l.ID); i < 3 && (!ok || got.State != contract.LeaseEnded || w.closed[l.ID] == "") {
			t.Errorf("after write %d it is %v %+v, closed %v", i, ok, got, w.closed)
		}
		mustRelease(t, again, token("b"), next.ID)
		if records, _, err := after.Leases(t.Context()); err != nil || len(records) != 0 {
			t.Errorf("after write %d there are still %v, %v", i, records, err)
		}
		end()
	}
}

// recorder keeps what the database is like after each write.
type recorder struct {
	Store
	copy  func() *store.Store
	after []*store.Store
}

func (r *recorder) PutLease(ctx context.Context, record store.Lease) error {
	err := r.Store.PutLease(ctx, record)
	r.after = append(r.after, r.copy())
	return err
}

func (r *recorder) DeleteLease(ctx context.Context, id string) error {
	err := r.Store.DeleteLease(ctx, id)
	r.after = append(r.after, r.copy())
	return err
}

func TestALeaseWhoseTimeWasUpMeanwhileIsEnded(t *testing.T) {
	kept := openStore(t, t.TempDir())
	record := store.Lease{
		Lease: contract.Lease{
			ID: "lease-a-4", Fence: 4, State: contract.LeaseActive, Hold: contract.HoldTTL, Authenticator: "key-1", Name: "key 1",
			Holder: "token ci", EndsAt: time.Now().Add(-time.Second).UTC().Truncate(time.Microsecond),
		},
		Owner: contract.Owner{TokenID: "token-ci", Name: "token ci"}, Token: sumOf("secret"),
	}
	if err := kept.PutLease(t.Context(), record); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, virtualKey(1))
	d, _ := begin(t, w, kept)
	<-d.Ended("lease-a-4")
	wantCode(t, d.Check(token("ci"), "lease-a-4", 4), failure.LeaseOver, "its time was up")
	// It was opened for that alone: nothing else can be left as it was found.
	if w.closed["lease-a-4"] != contract.EndExpired || w.grants["lease-a-4"].Authenticator.ID != "key-1" || len(w.opened()) != 0 {
		t.Errorf("closed %v, granted %v, open %v", w.closed, w.grants, w.opened())
	}
	if got := w.told("lease-a-4"); !slices.Equal(got, []string{"ending expired", "ended expired"}) {
		t.Errorf("told %v", got)
	}
}

func TestALeaseThatCannotBeOpenedAgainEnds(t *testing.T) {
	kept := &memory{fence: 4, records: map[string]store.Lease{"lease-a-4": {
		Lease: contract.Lease{ID: "lease-a-4", Fence: 4, State: contract.LeaseActive, Authenticator: "key-1", EndsAt: time.Now().Add(time.Hour)},
	}}}
	w := newWorld(t, virtualKey(1))
	w.onOpen = func(context.Context, Grant) error { return errors.New("no such hardware") }
	d, _ := begin(t, w, kept)
	<-d.Ended("lease-a-4")
	if over, _ := d.Lease("lease-a-4"); over.End != contract.EndUnusable || len(kept.ids()) != 0 {
		t.Errorf("it is %+v, kept %v", over, kept.ids())
	}
}

// What is asked for while it is being opened comes before its end, and writes
// nothing after it.
func TestARenewalBeforeAFailedOpeningLeavesNothing(t *testing.T) {
	kept := &memory{fence: 4, records: map[string]store.Lease{"lease-a-4": {
		Lease: contract.Lease{ID: "lease-a-4", Fence: 4, State: contract.LeaseActive, Authenticator: "key-1", EndsAt: time.Now().Add(time.Hour)},
		Owner: contract.Owner{TokenID: "token-ci"},
	}}}
	w := newWorld(t, virtualKey(1))
	opening := make(chan struct{})
	w.onOpen = func(context.Context, Grant) error { <-opening; return errors.New("no such hardware") }
	d, end := begin(t, w, kept)
	renewed := make(chan error, 1)
	go func() { _, err := d.Renew(t.Context(), token("ci"), "lease-a-4", "2h"); renewed <- err }()
	// The renewal is in once the owner has taken the order after it.
	eventually(t, "the renewal waits", func() bool {
		waits := make(chan bool, 1)
		_ = d.order(t.Context(), func(o *owner) { waits <- len(o.held["key-1"].next) > 0 })
		return <-waits
	})
	close(opening)
	wantCode(t, <-renewed, failure.LeaseOver)
	<-d.Ended("lease-a-4")
	end()
	if ids := kept.ids(); len(ids) != 0 {
		t.Errorf("kept are %v", ids)
	}
}

// The daemon's end is told to who waits, ends what a connection holds and
// leaves the rest to the next start.
func TestTheDaemonsEnd(t *testing.T) {
	w, kept := newWorld(t, virtualKey(1), virtualKey(2)), &memory{}
	d, end := begin(t, w, kept)
	byTime := mustTake(t, d, token("ci"), forMock(""))
	r := forMock("")
	r.Hold = contract.HoldConnection
	connected := mustTake(t, d, token("ci"), r)
	p := takeLater(t, d, token("b"), forMock("10m"))
	end()
	_, err := p.wait(t)
	wantCode(t, err, failure.ShuttingDown)
	if w.closed[connected.ID] != contract.EndRestart || w.closed[byTime.ID] != "" {
		t.Errorf("closed %v", w.closed)
	}
	if ids := kept.ids(); !slices.Equal(ids, []string{byTime.ID}) || kept.records[byTime.ID].State != contract.LeaseActive {
		t.Errorf("kept %v", ids)
	}
	_, err = d.Take(t.Context(), token("ci"), forMock(""), nil)
	wantCode(t, err, failure.ShuttingDown)
	_, err = d.Renew(t.Context(), token("ci"), byTime.ID, "")
	wantCode(t, err, failure.ShuttingDown)
	d.Dropped(byTime.ID)
	d.Revoked("token-ci")
}

// What is not left by the time the daemon has to be gone is left at the next
// start.
func TestAnEndThatTakesTooLongIsForTheNextStart(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	inTime(t, w, func(t *testing.T, d *Desk, kept *memory) {
		w.onClose = func(ctx context.Context, _ string) []string { <-ctx.Done(); return nil }
		r := forMock("")
		r.Hold = contract.HoldConnection
		l := mustTake(t, d, token("ci"), r)
		t.Cleanup(func() {
			if record := kept.records[l.ID]; record.State != contract.LeaseEnding || record.End != contract.EndRestart {
				t.Errorf("kept is %+v", record)
			}
		})
	})
}
