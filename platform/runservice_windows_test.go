package platform

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"

	"golang.org/x/sys/windows/svc"
)

// played is the manager of services as a service meets it.
type played struct {
	orders chan svc.ChangeRequest
	states chan svc.Status
	ended  chan uint32
}

func play(do func(context.Context, <-chan os.Signal) error) *played {
	p := &played{make(chan svc.ChangeRequest), make(chan svc.Status), make(chan uint32)}
	s := &served{do: do, states: make(chan svc.State)}
	serving.Store(s)
	go func() {
		_, code := s.Execute(nil, p.orders, p.states)
		serving.Store(nil) // before who waits for it plays another
		p.ended <- code
	}()
	return p
}

func (p *played) is(t *testing.T, want ...svc.State) {
	t.Helper()
	var got []svc.State
	for range want {
		got = append(got, (<-p.states).State)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the manager hears %v, want %v", got, want)
	}
}

// TestAServiceRunsFromWhenItListensUntilItIsStopped.
func TestAServiceRunsFromWhenItListensUntilItIsStopped(t *testing.T) {
	listen := make(chan struct{})
	reloaded := make(chan os.Signal, 1)
	p := play(func(ctx context.Context, reload <-chan os.Signal) error {
		<-listen
		Supervisor{}.Ready()
		reloaded <- <-reload
		<-ctx.Done()
		Supervisor{}.Stopping() // no news any more
		return ctx.Err()
	})
	p.is(t, svc.StartPending)
	p.orders <- svc.ChangeRequest{Cmd: svc.Interrogate}
	p.is(t, svc.StartPending)
	close(listen)
	if now := <-p.states; now.State != svc.Running || now.Accepts != svc.AcceptStop|svc.AcceptShutdown|svc.AcceptParamChange {
		t.Errorf("the manager hears %+v", now)
	}
	p.orders <- svc.ChangeRequest{Cmd: svc.ParamChange}
	<-reloaded
	p.orders <- svc.ChangeRequest{Cmd: svc.Stop}
	p.is(t, svc.StopPending)
	if code := <-p.ended; code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// TestAServiceThatGoesOnAfterAllCanBeStopped: only the manager's own order is final.
func TestAServiceThatGoesOnAfterAllCanBeStopped(t *testing.T) {
	p := play(func(ctx context.Context, _ <-chan os.Signal) error {
		Supervisor{}.Stopping()
		Supervisor{}.Ready()
		<-ctx.Done()
		return ctx.Err()
	})
	p.is(t, svc.StartPending, svc.StopPending, svc.Running)
	p.orders <- svc.ChangeRequest{Cmd: svc.Stop}
	p.is(t, svc.StopPending)
	if code := <-p.ended; code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestAServiceThatCannotStartSaysSo(t *testing.T) {
	p := play(func(context.Context, <-chan os.Signal) error { return errors.New("the port is taken") })
	p.is(t, svc.StartPending)
	if code := <-p.ended; code != exitFailed {
		t.Errorf("it ended with %d", code)
	}
}
