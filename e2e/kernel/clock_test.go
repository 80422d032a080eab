//go:build linux && e2e

package kernel_test

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// wallClock is the guest's, which the test sets; it is right again after it.
type wallClock struct {
	t     *testing.T
	began time.Time // with the monotonic reading
}

func (w wallClock) set(off time.Duration) {
	w.t.Helper()
	now := w.began.Round(0).Add(time.Since(w.began) + off)
	at := unix.NsecToTimespec(now.UnixNano())
	if err := unix.ClockSettime(unix.CLOCK_REALTIME, &at); err != nil {
		w.t.Fatal(err)
	}
}

// TestTheClockIsSet holds what docs/troubleshooting.md says of a clock that jumps.
func TestTheClockIsSet(t *testing.T) {
	p := somebody(t)
	p.configure("virtual = \"on\"\n")
	p.does("authbridge", "service", "install")
	for _, kind := range []string{"smartcard", "security-key"} {
		p.does("authbridge", "ready", "--aal", "3", "--target", "mock", "--kind", kind, "--wait", "20s")
	}
	secret, err := os.ReadFile(filepath.Join(p.user.HomeDir, ".local/state/authbridge", client.TokenFile))
	if err != nil {
		t.Fatal(err)
	}
	c := &client.Client{URL: "http://127.0.0.1:17823", Token: string(secret)}
	t.Cleanup(c.Close)
	short, err := c.CreateToken(t.Context(), contract.TokenRequest{Name: "half an hour", Rights: []contract.Right{contract.RightRead}, TTL: "30m"})
	if err != nil {
		t.Fatal(err)
	}
	lease, err := c.TakeLease(t.Context(), contract.LeaseRequest{
		Requirement: contract.Requirement{AAL: 3, Target: "mock", Kind: contract.Smartcard}, TTL: "20m",
	})
	if err != nil {
		t.Fatal(err)
	}
	pid := p.mainPID()
	clock := wallClock{t, time.Now()}
	t.Cleanup(func() { clock.set(0) })

	for _, jump := range []struct {
		name string
		off  time.Duration
		late bool // the token's time is up
	}{
		{"an hour ahead", time.Hour, true},
		{"right again", 0, false},
		{"two days back", -48 * time.Hour, false},
	} {
		t.Run(jump.name, func(t *testing.T) {
			p, before := p.in(t), head(t, c)
			clock.set(jump.off)
			if l, err := c.Lease(t.Context(), lease.ID); err != nil || l.State != contract.LeaseActive {
				t.Errorf("the lease is %+v, %v", l, err)
			}
			if _, err := c.With(lease.Token).RenewLease(t.Context(), lease.ID, 20*time.Minute); err != nil {
				t.Errorf("its own token does not renew it: %v", err)
			}
			var refused *contract.Problem
			if _, err := c.With(short.Secret).Status(t.Context()); err != nil != jump.late ||
				jump.late && (!errors.As(err, &refused) || refused.Code != string(failure.Unauthorized)) {
				t.Errorf("the token of half an hour: %v", err)
			}
			// A sign-in reads the clock at the daemon and at the mock.
			p.does("authbridge", "login", "--target", "mock", "--acr", "AAL3_ANY", "--kind", "security-key")
			p.does("authbridge", "ready", "--aal", "3", "--target", "mock")
			if after := head(t, c); after.Epoch != before.Epoch || after.Compare(before) <= 0 {
				t.Errorf("events went from %s to %s", before, after)
			}
			if s := p.service(); s.Restarts != 0 || p.mainPID() != pid {
				t.Errorf("it was started again: %+v", s)
			}
		})
	}
	t.Run("killed with the clock back, it keeps the lease, and not for days", func(t *testing.T) {
		p, before := p.in(t), head(t, c)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		for late := time.Now().Add(patience); !p.service().Answers; {
			if time.Now().After(late) {
				t.Fatal("it does not come back")
			}
		}
		if l, err := c.Lease(t.Context(), lease.ID); err != nil || l.State != contract.LeaseActive || time.Until(l.EndsAt) > 8*time.Hour {
			t.Errorf("the lease is %+v, %v", l, err)
		}
		if after := head(t, c); after.Epoch <= before.Epoch {
			t.Errorf("the epoch went from %s to %s", before, after)
		}
	})
	t.Run("right again, none of it is left", func(t *testing.T) {
		clock.set(0)
		if _, err := c.ReleaseLease(t.Context(), lease.ID); err != nil {
			t.Error(err)
		}
		p.in(t).does("authbridge", "ready", "--aal", "3", "--target", "mock", "--kind", "smartcard", "--wait", "20s")
	})
}

// head is the event that the state is as of.
func head(t *testing.T, c *client.Client) contract.EventID {
	t.Helper()
	s, err := c.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	id, err := contract.ParseEventID(s.ID)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
