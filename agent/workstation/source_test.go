package workstation_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/workstation"
	"authbridge/platform/nhs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// looks runs a source and counts its looks.
func looks(t *testing.T, took time.Duration) (source *workstation.Source, count func() int) {
	source, count, _ = hears(t, took)
	return source, count
}

// hears is the same with what was published last.
func hears(t *testing.T, took time.Duration) (source *workstation.Source, count func() int, seen func() *health.Workstation) {
	t.Helper()
	var mu sync.Mutex
	n := 0
	var last *health.Workstation
	source = workstation.New(workstation.Config{Windows: true, Look: func(ctx context.Context) health.Workstation {
		select {
		case <-time.After(took):
		case <-ctx.Done():
		}
		return health.Workstation{At: time.Now()}
	}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- source.Run(ctx, func(o inventory.Observation) {
			mu.Lock()
			defer mu.Unlock()
			if o.Source.Name != "workstation" || o.Source.State != "up" || o.Workstation == nil || !o.Source.ObservedAt.Equal(o.Workstation.At) {
				t.Errorf("%+v", o)
			}
			n++
			last = o.Workstation
		})
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	count = func() int {
		mu.Lock()
		defer mu.Unlock()
		return n
	}
	return source, count, func() *health.Workstation {
		mu.Lock()
		defer mu.Unlock()
		return last
	}
}

// pass lets time go by in a synctest bubble.
func pass(d time.Duration) { time.Sleep(d) } //nolint:forbidigo // the bubble's clock

// TestNobodyAsksNobodyLooks: one look at the start, and not a wake-up more, for
// the mock neither.
func TestNobodyAsksNobodyLooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, count := looks(t, time.Second)
		pass(24 * time.Hour)
		source.Ask("mock")
		pass(24 * time.Hour)
		if n := count(); n != 1 {
			t.Errorf("%d looks in two days", n)
		}
	})
}

// TestWhoAsksIsAnsweredForAWhile: a look at once where the last is old, then each
// half minute, until nobody has asked for five.
func TestWhoAsksIsAnsweredForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, count := looks(t, 0)
		pass(time.Hour)
		source.Ask("int")
		synctest.Wait()
		if n := count(); n != 2 {
			t.Fatalf("%d looks once somebody has asked", n)
		}
		for range 1000 {
			source.Ask("int")
		}
		synctest.Wait()
		if n := count(); n != 2 {
			t.Errorf("%d looks after a thousand who ask", n)
		}
		pass(30 * time.Second)
		synctest.Wait()
		if n := count(); n != 3 {
			t.Errorf("%d looks half a minute later", n)
		}
		pass(24 * time.Hour)
		if n := count(); n < 11 || n > 13 {
			t.Errorf("%d looks once nobody is interested any more", n)
		}
	})
}

// TestASlowLookHoldsNobodyUp: to ask returns at once, and the daemon ends.
func TestASlowLookHoldsNobodyUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, count := looks(t, 100*time.Hour)
		began := time.Now()
		source.Ask("int")
		if time.Since(began) != 0 || count() != 0 {
			t.Error("who asked has waited")
		}
	})
}

// TestFactsAreSaidInTheWordsOfHealth: what is unknown stays so, with its reason.
func TestFactsAreSaidInTheWordsOfHealth(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	w := workstation.Facts(nhs.Facts{
		At:       at,
		Service:  nhs.Seen[nhs.PortService]{Is: nhs.PortService{Port: "43487", HTTP: true, Manager: nhs.Manager{Port: 51234, Accepts: true}}},
		Programs: nhs.Seen[[]nhs.Program]{Is: []nhs.Program{{Is: nhs.IdentityAgent, Version: "2.4.10.0"}}},
		Chip:     nhs.Seen[nhs.Chip]{Unknown: "tbs.dll is not there"},
		Policies: nhs.Seen[[]nhs.Policy]{Is: []nhs.Policy{{Browser: "Edge", Name: "R", Effect: nhs.BlocksAll}}},
	})
	switch {
	case !w.At.Equal(at), w.Service.Is.Manager.Port != 51234, w.Programs.Is[0].Is != health.IdentityAgent:
		t.Errorf("%+v", w)
	case w.Chip.Unknown != "tbs.dll is not there", w.Policies.Is[0].Effect != health.BlocksAll:
		t.Errorf("%+v", w)
	}
	for product, is := range map[nhs.Product]health.Product{
		nhs.CredentialManagement: health.CredentialManagement, nhs.SmartcardConnect: health.SmartcardConnect, nhs.OberthurMiddleware: health.OberthurMiddleware,
	} {
		if string(product) != string(is) {
			t.Errorf("%s is called %s", product, is)
		}
	}
	for effect, is := range map[nhs.Effect]string{nhs.BlocksCookies: health.BlocksCookies, nhs.BlocksSome: health.BlocksSome, nhs.Lets: health.Lets} {
		if string(effect) != is {
			t.Errorf("%s is called %s", effect, is)
		}
	}
}

// TestAWordHoldsForAnHour: it is shown at once without another look, the newest of
// each who says something, and goes by itself.
func TestAWordHoldsForAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, _, seen := hears(t, 0)
		synctest.Wait()
		looked := seen().At
		pass(time.Minute)
		tell := func(who string, available bool) {
			if err := source.TellHello(who, contract.HelloReport{API: 4, Available: available}); err != nil {
				t.Error(err)
			}
			synctest.Wait()
		}
		tell("user 1", false)
		first := time.Now()
		pass(time.Minute)
		tell("user 2", true)
		tell("user 1", true)
		got := seen()
		if len(got.Sessions) != 2 || !got.At.Equal(looked) {
			t.Fatalf("%+v", got)
		}
		if s := got.Sessions[1]; s.Who != "user 1" || !s.Available || !s.Since.Equal(first) || !s.At.Equal(time.Now()) {
			t.Errorf("%+v", s)
		}
		pass(time.Hour - time.Second)
		synctest.Wait()
		if got := seen(); len(got.Sessions) != 2 {
			t.Errorf("before the hour is over: %+v", got.Sessions)
		}
		pass(2 * time.Second)
		synctest.Wait()
		if got := seen(); len(got.Sessions) != 0 {
			t.Errorf("after it: %+v", got.Sessions)
		}
	})
}

// TestACrowdOfWordsIsBounded: the oldest goes.
func TestACrowdOfWordsIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		source, _, seen := hears(t, 0)
		for i := range 1000 {
			if err := source.TellHello("token "+strconv.Itoa(i), contract.HelloReport{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := seen().Sessions; len(got) != 32 || got[31].Who != "token 999" {
			t.Errorf("%d are kept", len(got))
		}
	})
}

// TestWithoutWindowsNoWordIsTaken.
func TestWithoutWindowsNoWordIsTaken(t *testing.T) {
	t.Parallel()
	source := workstation.New(workstation.Config{})
	var refused *failure.Error
	if err := source.TellHello("user 1", contract.HelloReport{API: 4, Available: true}); !errors.As(err, &refused) || refused.Code != failure.BadRequest {
		t.Errorf("%v", err)
	}
}
