//go:build linux && cgo

package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"authbridge/agent/contract"
)

// TestAHundredLoginsAtOnce at the program's own mock, with four virtual cards and
// four virtual keys: all pass, each authenticator is lent in turn, as the journal
// says, and all are as they were after it.
func TestAHundredLoginsAtOnce(t *testing.T) {
	const runs, each = 100, 4
	t.Setenv("AUTHBRIDGE_LOG_LEVEL", "warn")
	p := buildProgram(t)
	p.start()
	cl := p.client()
	t.Cleanup(cl.Close)
	for n := 2; n <= each; n++ {
		_, err := cl.InsertCard(t.Context(), contract.VirtualInsert{Name: fmt.Sprint("virtual-reader-", n), User: fmt.Sprint("55520000000", n)})
		must(t, err)
		_, err = cl.PlugKey(t.Context(), contract.VirtualPlug{Name: fmt.Sprint("virtual-key-", n)})
		must(t, err)
	}
	l := &lender{t: t, admin: cl}
	allReady := func(s *contract.Snapshot) bool {
		ready := 0
		for _, a := range s.Authenticators {
			if a.Condition == contract.Ready && a.Origin == contract.Virtual {
				ready++
			}
		}
		return ready == 2*each
	}
	l.await("eight authenticators", allReady)
	journal := follow(t, l)

	began := time.Now()
	var over [runs]contract.Login
	var all sync.WaitGroup
	for n := range runs {
		all.Go(func() {
			// Without a purpose, so that the lease's is the run's id.
			request := contract.LoginRequest{Target: "mock", Queue: "10m", Kind: []contract.Kind{contract.Smartcard, contract.SecurityKey, ""}[n%3]}
			run, err := cl.BeginLogin(t.Context(), request)
			for ; err == nil && !run.State.Over(); run, err = cl.Login(t.Context(), run.ID, time.Minute) {
			}
			if over[n] = run; err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	if t.Failed() {
		return
	}

	l.await("all leases to end", func(s *contract.Snapshot) bool { return len(s.Leases) == 0 })
	told := replay(t, journal.until(l))
	used := make(map[string]int)
	for _, run := range over {
		if run.State != contract.LoginPassed {
			t.Errorf("%s: %+v", run.Summary, run.Problem)
			continue
		}
		used[run.Authenticator]++
		s := told.leases[run.ID]
		if s == nil || s.id != run.Lease || s.Authenticator != run.Authenticator || s.end != contract.EndReleased {
			t.Errorf("%s had %s of %s; the journal says %+v", run.ID, run.Lease, run.Authenticator, s)
		}
	}
	if len(told.leases) != runs || len(used) != 2*each {
		t.Errorf("%d leases of %d authenticators", len(told.leases), len(used))
	}
	s := l.await("eight authenticators", allReady)
	for _, a := range s.Authenticators {
		if full := map[contract.Kind]int{contract.Smartcard: 3, contract.SecurityKey: 8}[a.Kind]; a.Origin == contract.Virtual && (a.PIN.TriesLeft == nil || *a.PIN.TriesLeft != full) {
			t.Errorf("%s: %+v", a.ID, a.PIN)
		}
	}
	t.Logf("%d logins in %v, %d of them waited in the queue: %v", runs, took.Round(time.Second/10), told.queued, used)
	p.stop() // which tells of a race
}
