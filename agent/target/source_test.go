package target_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/agent/inventory"
	"authbridge/agent/target"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const issuer = "https://one.test:443/openam"

// service answers for every target, or does not.
type service struct {
	mu    sync.Mutex
	asked []time.Time
	hosts []string
	down  bool
	hangs bool
}

func (s *service) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asked, s.hosts = append(s.asked, time.Now()), append(s.hosts, r.URL.Hostname())
	down, hangs := s.down, s.hangs
	s.mu.Unlock()
	if hangs {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	if down {
		return nil, errors.New("no route")
	}
	own := strings.TrimSuffix(r.URL.String(), "/.well-known/openid-configuration")
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(`{"issuer":"` + own + `","acr_values_supported":["AAL3_ANY","AAL2_OR_AAL3_ANY"]}`)),
	}, nil
}

func (s *service) set(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

// times are when it was asked, since some time.
func (s *service) times(since time.Time) (all []time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.asked {
		all = append(all, at.Sub(since))
	}
	return all
}

// running is a source that runs, with the newest that it published.
type running struct {
	*target.Source
	*service
	began time.Time
	mu    sync.Mutex
	told  []inventory.Observation
}

func run(t *testing.T, test func(*running), targets ...target.Target) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		if len(targets) == 0 {
			targets = []target.Target{{Name: "one", Issuer: issuer}, {Name: "two", Issuer: "https://two.test:443/openam"}, {Name: "dep"}}
		}
		r := &running{service: &service{}, began: time.Now()}
		r.Source = target.New(target.Config{Targets: targets, Transport: r.service})
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- r.Run(ctx, func(o inventory.Observation) {
				r.mu.Lock()
				defer r.mu.Unlock()
				r.told = append(r.told, o)
			})
		}()
		synctest.Wait()
		test(r)
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// state is that of a check of a target by what was published last.
func (r *running) state(name string, code failure.Code) (contract.CheckState, string) {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	last := r.told[len(r.told)-1]
	for _, c := range health.Judge(health.Facts{Targets: last.Targets}, time.Now()).Machine {
		if c.Target == name && c.Code == string(code) {
			return c.State, c.Evidence
		}
	}
	return "", "no such check"
}

func (r *running) published() int {
	synctest.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.told)
}

func pass(d time.Duration) {
	time.Sleep(d) //nolint:forbidigo // of the bubble: its clock passes
	synctest.Wait()
}

// TestNobodyIsCalledWhomNobodyAskedAbout: a developer machine that is switched on
// calls no NHS host.
func TestNobodyIsCalledWhomNobodyAskedAbout(t *testing.T) {
	run(t, func(r *running) {
		pass(100 * time.Hour)
		if len(r.hosts) != 0 || r.published() != 1 {
			t.Errorf("called %v, published %d times", r.hosts, r.published())
		}
		if state, says := r.state("one", failure.NetIssuer); state != contract.Unknown || !strings.Contains(says, "nobody has looked yet") {
			t.Errorf("it is %s: %s", state, says)
		}
		r.Ask("one")
		r.Ask("dep")     // nothing is known of it
		r.Ask("nowhere") // it is no target
		if state, says := r.state("one", failure.NetIssuer); state != contract.Pass {
			t.Errorf("it is %s: %s", state, says)
		}
		if len(r.hosts) != 1 || r.hosts[0] != "one.test" {
			t.Errorf("called %v", r.hosts)
		}
	})
}

// TestWhatTheConfigurationListsIsLookedAtOnce: that is interest, and it passes.
func TestWhatTheConfigurationListsIsLookedAtOnce(t *testing.T) {
	run(t, func(r *running) {
		if state, says := r.state("one", failure.NetIssuer); state != contract.Pass {
			t.Errorf("it is %s: %s", state, says)
		}
		pass(100 * time.Hour)
		if len(r.hosts) != 1 {
			t.Errorf("called %d times", len(r.hosts))
		}
	}, target.Target{Name: "one", Issuer: issuer, Listed: true})
}

// TestWhileSomebodyAsksItIsLookedAtHourly, and not longer.
func TestWhileSomebodyAsksItIsLookedAtHourly(t *testing.T) {
	run(t, func(r *running) {
		for range 3*60 - 1 { // somebody asks all the time, for almost three hours
			r.Ask("one")
			pass(time.Minute)
		}
		if times := r.times(r.began); len(times) != 3 || times[1] != time.Hour || times[2] != 2*time.Hour {
			t.Errorf("looked at %v", times)
		}
		pass(100 * time.Hour)
		// Interest of the last minute lasts for the look at three hours.
		if times := r.times(r.began); len(times) != 4 {
			t.Errorf("looked at %v", times)
		}
		if state, says := r.state("one", failure.NetIssuer); state != contract.Warn {
			t.Errorf("days later it is %s: %s", state, says)
		}
		r.Ask("one")
		if state, says := r.state("one", failure.NetIssuer); state != contract.Pass {
			t.Errorf("asked again it is %s: %s", state, says)
		}
	})
}

// TestABadLookIsRepeatedEverLater, while there is interest, and what comes back
// is seen.
func TestABadLookIsRepeatedEverLater(t *testing.T) {
	run(t, func(r *running) {
		r.set(true)
		r.Ask("one")
		pass(20 * time.Minute)
		s := time.Second
		want := []time.Duration{0, 5 * s, 15 * s, 35 * s, 75 * s, 155 * s, 315 * s, 615 * s, 915 * s}
		times := r.times(r.began)
		if len(times) != len(want) {
			t.Fatalf("looked at %v", times)
		}
		for i := range want {
			if times[i] != want[i] {
				t.Errorf("look %d came at %s, want %s", i, times[i], want[i])
			}
		}
		if state, says := r.state("one", failure.NetIssuer); state != contract.Fail {
			t.Errorf("it is %s: %s", state, says)
		}
		r.set(false)
		pass(5 * time.Minute)
		if state, says := r.state("one", failure.NetIssuer); state != contract.Pass {
			t.Errorf("it is back and %s: %s", state, says)
		}
		r.set(true)
		pass(2 * time.Hour)
		looks := len(r.times(r.began))
		pass(100 * time.Hour)
		if now := len(r.times(r.began)); now != looks {
			t.Errorf("%d looks while nobody asked", now-looks)
		}
	})
}

func TestBadForeverIsLookedAtNoLongerThanSomebodyIsInterested(t *testing.T) {
	run(t, func(r *running) {
		r.set(true)
		r.Ask("one")
		pass(100 * time.Hour)
		times := r.times(r.began)
		if last := times[len(times)-1]; last >= time.Hour {
			t.Errorf("it was looked at %s after somebody asked", last)
		}
		if state, says := r.state("one", failure.NetIssuer); state != contract.Unknown || !strings.Contains(says, "more than an hour ago") {
			t.Errorf("long after it is %s: %s", state, says)
		}
	})
}

// TestALookThatIsOrderedIsToldToAll: a login run finds out, and readiness knows.
func TestALookThatIsOrderedIsToldToAll(t *testing.T) {
	run(t, func(r *running) {
		checks := r.Look(context.Background(), "one")
		if len(checks) == 0 || checks[0].State != contract.Pass {
			t.Fatalf("it says %+v", checks)
		}
		if state, says := r.state("one", failure.NetIssuer); state != contract.Pass {
			t.Errorf("it is %s: %s", state, says)
		}
		r.set(true)
		r.Look(context.Background(), "one")
		if state, _ := r.state("one", failure.NetIssuer); state != contract.Fail || len(r.hosts) != 2 {
			t.Errorf("it is %s after %d looks", state, len(r.hosts))
		}
		r.set(false)
		pass(5 * time.Second) // the run's failure is retried like any
		if state, _ := r.state("one", failure.NetIssuer); state != contract.Pass {
			t.Errorf("it is back and %s", state)
		}
		if r.Look(context.Background(), "dep") != nil || r.Look(context.Background(), "nowhere") != nil {
			t.Error("something was seen where nothing is known")
		}
		gone, leave := context.WithCancel(context.Background())
		leave()
		if r.Look(gone, "two") != nil {
			t.Error("a run that was cancelled judges")
		}
		if state, _ := r.state("two", failure.NetIssuer); state != contract.Unknown {
			t.Errorf("two is %s: what a cancelled run saw is told", state)
		}
	})
}

// TestASourceThatHangsEndsWithItsContext, and asking never waits for it.
func TestASourceThatHangsEndsWithItsContext(t *testing.T) {
	run(t, func(r *running) {
		r.service.mu.Lock()
		r.hangs = true
		r.service.mu.Unlock()
		for range 1000 {
			r.Ask("one")
		}
		synctest.Wait()
		if n := len(r.times(r.began)); n != 1 {
			t.Errorf("asked %d times at once", n)
		}
		pass(8 * time.Second)
		if state, says := r.state("one", failure.NetIssuer); state != contract.Fail || !strings.Contains(says, "not within 8s") {
			t.Errorf("it is %s: %s", state, says)
		}
		r.Ask("two") // is under way when the daemon ends
		synctest.Wait()
	})
}
