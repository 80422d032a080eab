package lease

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/store"
)

// inTime runs a story on a clock that goes on when all wait.
func inTime(t *testing.T, w *world, story func(t *testing.T, d *Desk, kept *memory)) {
	synctest.Test(t, func(t *testing.T) {
		w.changed = make(chan struct{}) // of the story's own time
		kept := &memory{}
		d, end := begin(t, w, kept)
		defer end()
		story(t, d, kept)
	})
}

func TestALeaseEndsWhenItsTimeIsUp(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	inTime(t, w, func(t *testing.T, d *Desk, _ *memory) {
		began := time.Now()
		r := forMock("")
		r.TTL = "90s"
		l := mustTake(t, d, token("ci"), r)
		if !l.EndsAt.Equal(began.Add(90 * time.Second)) {
			t.Errorf("it ends at %s", l.EndsAt)
		}
		p := takeLater(t, d, token("next"), forMock("2m"))
		got, err := p.wait(t)
		if err != nil || !got.TakenAt.Equal(began.Add(90*time.Second)) {
			t.Errorf("the next got %+v, %v", got.Lease, err)
		}
		if over, _ := d.Lease(l.ID); over.End != contract.EndExpired || !over.EndedAt.Equal(l.EndsAt) {
			t.Errorf("it is %+v", over)
		}
		_, err = d.Renew(t.Context(), token("ci"), l.ID, "")
		wantCode(t, err, failure.LeaseOver)
		if got := w.told(l.ID); !slices.Equal(got, []string{"active", "ending expired", "ended expired"}) {
			t.Errorf("told %v", got)
		}
		if !got.EndsAt.Equal(got.TakenAt.Add(5 * time.Minute)) {
			t.Errorf("without a TTL it ends at %s", got.EndsAt)
		}
	})
}

// Whether a lease is over is a matter of the clock, not of who looked at it.
func TestALeaseIsOverAtItsEndWhateverTheDeskIsDoing(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	now := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	at := make(chan time.Time, 1)
	at <- now
	d, err := New(t.Context(), Config{
		Inventory: w, Use: w, Store: &memory{fence: 4, records: map[string]store.Lease{"lease-a-4": {
			Lease: contract.Lease{ID: "lease-a-4", Fence: 4, State: contract.LeaseActive, Authenticator: "key-1", EndsAt: now.Add(time.Minute)},
			Owner: contract.Owner{TokenID: "token-ci"}, Token: sumOf("secret"),
		}}},
		Now: func() time.Time { t := <-at; at <- t; return t },
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(token("ci"), "lease-a-4", 4); err != nil {
		t.Error(err)
	}
	if _, ok := d.Token([]byte("secret")); !ok {
		t.Error("its token is dead")
	}
	<-at
	at <- now.Add(time.Minute)
	wantCode(t, d.Check(token("ci"), "lease-a-4", 4), failure.LeaseOver, "12:01:00")
	wantCode(t, d.Over([]byte("secret")), failure.LeaseOver, "12:01:00")
	if _, ok := d.Token([]byte("secret")); ok {
		t.Error("its token outlives it")
	}
}

func TestARenewalMovesTheEndFromNow(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	inTime(t, w, func(t *testing.T, d *Desk, kept *memory) {
		r := forMock("")
		r.TTL = "1m"
		l := mustTake(t, d, token("ci"), r)
		<-time.After(50 * time.Second)
		renewed, err := d.Renew(t.Context(), token("ci"), l.ID, "")
		if err != nil || !renewed.EndsAt.Equal(l.EndsAt.Add(50*time.Second)) {
			t.Errorf("renewed %+v, %v", renewed, err)
		}
		if record := kept.records[l.ID]; !record.EndsAt.Equal(renewed.EndsAt) || record.State != contract.LeaseActive {
			t.Errorf("kept %+v", record)
		}
		for _, bad := range []string{"0s", "8h0m1s", "x"} {
			_, err := d.Renew(t.Context(), token("ci"), l.ID, bad)
			wantCode(t, err, failure.BadRequest, "body.ttl")
		}
		renewed, err = d.Renew(t.Context(), Caller{Owner: contract.Owner{Lease: l.ID}}, l.ID, "1h")
		if err != nil || !renewed.EndsAt.Equal(time.Now().Add(time.Hour)) {
			t.Errorf("renewed %+v, %v", renewed, err)
		}
		<-time.After(time.Hour - time.Second)
		if err := d.Check(token("ci"), l.ID, l.Fence); err != nil {
			t.Error(err)
		}
		<-d.Ended(l.ID)
		if over, _ := d.Lease(l.ID); !over.EndedAt.Equal(renewed.EndsAt) {
			t.Errorf("it ended at %s", over.EndedAt)
		}
		if got := w.told(l.ID); !slices.Equal(got, []string{"active", "active", "active", "ending expired", "ended expired"}) {
			t.Errorf("told %v", got)
		}
	})
}

// A release that comes while a renewal is being written is the last word.
func TestARenewalDoesNotOutliveTheEnd(t *testing.T) {
	kept := &memory{}
	d, _ := begin(t, newWorld(t, virtualKey(1)), kept)
	l := mustTake(t, d, token("ci"), forMock(""))
	writing, write := make(chan struct{}), make(chan struct{})
	kept.onPut = func(store.Lease) {
		kept.onPut = nil
		close(writing)
		<-write
	}
	renewed := make(chan error, 1)
	go func() { _, err := d.Renew(t.Context(), token("ci"), l.ID, "1h"); renewed <- err }()
	<-writing
	released := make(chan struct{})
	go func() { defer close(released); mustRelease(t, d, token("ci"), l.ID) }()
	eventually(t, "it is ending", func() bool { now, _ := d.Lease(l.ID); return now.State == contract.LeaseEnding })
	close(write)
	wantCode(t, <-renewed, failure.LeaseOver, "released")
	<-released
	if len(kept.ids()) != 0 {
		t.Errorf("kept are %v", kept.ids())
	}
}

func TestAWaitEndsWhenItsTimeIsUp(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	inTime(t, w, func(t *testing.T, d *Desk, _ *memory) {
		r := forMock("")
		r.Purpose = "run 17"
		mustTake(t, d, token("ci"), r)
		began := time.Now()
		_, err := d.Take(t.Context(), token("b"), forMock("30s"), nil)
		wantCode(t, err, failure.LeaseTimeout, "key 1 is held by token ci for run 17 until ")
		if waited := time.Since(began); waited != 30*time.Second {
			t.Errorf("it waited %s", waited)
		}
		if len(d.Leases()) != 1 {
			t.Errorf("listed %+v", d.Leases())
		}
	})
}

func TestNothingOutlivesTheTokenThatTookIt(t *testing.T) {
	w := newWorld(t, virtualKey(1))
	inTime(t, w, func(t *testing.T, d *Desk, kept *memory) {
		ci := token("ci")
		ci.Expires = time.Now().Add(time.Minute).Truncate(time.Microsecond)
		l := mustTake(t, d, ci, forMock(""))
		if !l.EndsAt.Equal(ci.Expires) || !kept.records[l.ID].Expires.Equal(ci.Expires) {
			t.Errorf("it ends at %s, kept %+v", l.EndsAt, kept.records[l.ID])
		}
		if renewed, err := d.Renew(t.Context(), Caller{Owner: contract.Owner{Lease: l.ID}}, l.ID, "1h"); err != nil || !renewed.EndsAt.Equal(ci.Expires) {
			t.Errorf("renewed %+v, %v", renewed, err)
		}
		p := takeLater(t, d, ci, forMock("10m"))
		_, err := p.wait(t)
		wantCode(t, err, failure.Unauthorized)
		<-d.Ended(l.ID)
		if over, _ := d.Lease(l.ID); over.End != contract.EndRevoked || !over.EndedAt.Equal(ci.Expires) {
			t.Errorf("it is %+v", over)
		}
	})
}

// Neither reading nor leaving may take for ever.
func TestWhatIsDoneForALeaseIsBounded(t *testing.T) {
	w := newWorld(t, physicalKey(1))
	inTime(t, w, func(t *testing.T, d *Desk, _ *memory) {
		w.onFresh = func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		began := time.Now()
		_, err := d.Take(t.Context(), tester, physically(""), nil)
		wantCode(t, err, failure.LeaseNotReady, "could not be read anew")
		if took := time.Since(began); took != takeLimit {
			t.Errorf("it took %s", took)
		}
		w.onFresh = nil
		w.onClose = func(ctx context.Context, _ string) []string { <-ctx.Done(); return []string{"it did not answer"} }
		w.see(physicalKey(1))
		l := mustTake(t, d, tester, physically(""))
		began = time.Now()
		if over := mustRelease(t, d, tester, l.ID); !slices.Equal(over.Remarks, []string{"it did not answer"}) {
			t.Errorf("it is %+v", over)
		}
		if took := time.Since(began); took != leaveLimit {
			t.Errorf("it took %s", took)
		}
	})
}
