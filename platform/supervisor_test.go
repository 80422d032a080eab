package platform

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestTheManagerHearsWhatTheDaemonIsDoing: on the socket that systemd names.
func TestTheManagerHearsWhatTheDaemonIsDoing(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	heard, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Skipf("no such sockets here: %v", err)
	}
	defer heard.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	var s Supervisor
	for _, step := range []struct {
		say  func()
		want string
	}{{s.Ready, "READY=1"}, {s.Reloading, "RELOADING=1"}, {s.Ready, "READY=1"}, {s.Stopping, "STOPPING=1"}, {func() { s.Failed("why") }, "STATUS=why"}} {
		step.say()
		text := make([]byte, 64)
		n, err := heard.Read(text)
		if err != nil || string(text[:n]) != step.want {
			t.Fatalf("heard %q (%v), want %q", text[:n], err, step.want)
		}
	}
}

// TestADaemonThatDoesNotAnswerIsGivenUp: the manager is told twice within its
// limit, and no more once the daemon does not answer.
func TestADaemonThatDoesNotAnswerIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var told atomic.Int32
		var stuck atomic.Bool
		go watch(ctx, time.Minute, func(ctx context.Context) error {
			if stuck.Load() {
				<-ctx.Done() // it never answers
				return ctx.Err()
			}
			return nil
		}, func() { told.Add(1) })
		time.Sleep(2*time.Minute + time.Second) //nolint:forbidigo // the bubble's clock
		if n := told.Load(); n != 5 {
			t.Errorf("told %d times in 2 minutes, want 5", n)
		}
		stuck.Store(true)
		time.Sleep(5 * time.Minute) //nolint:forbidigo // the bubble's clock
		if n := told.Load(); n != 5 {
			t.Errorf("told %d times though nothing answered", n-5)
		}
		cancel()
		synctest.Wait()
	})
}

// TestNobodyWatches: without a watchdog the daemon is never asked.
func TestNobodyWatches(t *testing.T) {
	t.Setenv("WATCHDOG_USEC", "")
	Supervisor{}.Watch(t.Context(), func(context.Context) error {
		t.Error("it was asked")
		return errors.New("asked")
	})
}
