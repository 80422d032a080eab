package client_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/api/apitest"
	"authbridge/agent/client"
	"authbridge/agent/contract"
)

func leased(t *testing.T, c *client.Client) contract.CeremonyRequest {
	t.Helper()
	l, err := c.TakeLease(t.Context(), request("key-1"))
	if err != nil {
		t.Fatal(err)
	}
	return contract.CeremonyRequest{Lease: l.ID, Fence: l.Fence, Type: contract.CeremonyGet, Options: []byte(`{"challenge":"AA"}`)}
}

func TestACeremonyIsRunToItsEnd(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	ask := leased(t, c)
	var states []contract.CeremonyState
	over, err := c.RunCeremony(t.Context(), ask, func(now contract.Ceremony) {
		states = append(states, now.State)
		if now.State == contract.CeremonyTouch {
			if now.Prompt == nil || now.Prompt.Text != apitest.Asked {
				t.Errorf("without its prompt: %+v", now)
			}
			s.Ceremonies.Step(now.ID, contract.CeremonyRunning)
			s.Ceremonies.Finish(now.ID, contract.CeremonyDone, apitest.Credential())
		}
	})
	if err != nil || over.State != contract.CeremonyDone || over.Result == nil || !strings.Contains(string(over.Result.Credential), "the-credential") {
		t.Fatalf("%+v, %v", over, err)
	}
	if len(states) < 2 || states[0] != contract.CeremonyTouch || states[len(states)-1] != contract.CeremonyDone {
		t.Errorf("told of %v", states)
	}

	// Every state that comes while it is followed is told, once.
	states = nil
	steps := []contract.CeremonyState{contract.CeremonyRunning, contract.CeremonyPIN, contract.CeremonyTouch, contract.CeremonyFailed}
	followed := make(chan string, 1)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		over, err = c.RunCeremony(context.WithoutCancel(t.Context()), ask, func(now contract.Ceremony) {
			states = append(states, now.State)
			select {
			case followed <- now.ID:
			default:
			}
		})
	}()
	id := <-followed
	for !held(t, c) { // its stream is open
	}
	for _, step := range steps[:3] {
		s.Ceremonies.Step(id, step)
	}
	s.Ceremonies.Finish(id, contract.CeremonyFailed, nil)
	<-ended
	if err != nil || over.State != contract.CeremonyFailed || over.Problem == nil {
		t.Errorf("%+v, %v: a ceremony that fails is no error", over, err)
	}
	if states[0] != contract.CeremonyTouch || states[len(states)-1] != contract.CeremonyFailed || len(states) > 1+len(steps) {
		t.Errorf("told of %v", states)
	}
}

// held is whether a call is held open.
func held(t *testing.T, c *client.Client) bool {
	t.Helper()
	text, err := c.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return !strings.Contains(string(text), "authbridge_http_held_requests 0")
}

// TestWhoGivesUpCancelsTheCeremony, whichever way it waits.
func TestWhoGivesUpCancelsTheCeremony(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	ask := leased(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	over, err := c.RunCeremony(ctx, ask, func(now contract.Ceremony) { cancel() })
	if !errors.Is(err, context.Canceled) || over.State != contract.CeremonyCancelled {
		t.Errorf("%+v, %v", over, err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	waited := make(chan error, 1)
	ask.Wait = true
	go func() { waited <- second(c.Begin(ctx, ask)) }()
	for !held(t, c) {
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for late := time.Now().Add(time.Minute); ; {
		list, err := c.Ceremonies(t.Context())
		if err != nil || time.Now().After(late) {
			t.Fatalf("%+v, %v", list, err)
		}
		if len(list) == 2 && list[1].State == contract.CeremonyCancelled {
			break
		}
	}
}

// TestALateSuccessIsNotLost: it was done when it was to be cancelled.
func TestALateSuccessIsNotLost(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	over, err := c.RunCeremony(ctx, leased(t, c), func(now contract.Ceremony) {
		cancel()
		if !now.State.Over() {
			s.Ceremonies.Finish(now.ID, contract.CeremonyDone, apitest.Credential())
		}
	})
	if !errors.Is(err, context.Canceled) || over.State != contract.CeremonyDone || over.Result == nil {
		t.Errorf("%+v, %v", over, err)
	}
}

func TestPINsArriveAndAreWiped(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overTCP(t, s, s.Secret)
	ask := leased(t, c)
	const text = "12\"\\\n3ä"
	ask.PIN = &contract.PINSource{Value: contract.Secret(text), Secret: "blue-pin"}
	begun, err := c.Begin(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	pin := []byte(text)
	if err := c.AnswerPIN(t.Context(), begun.ID, pin); err != nil {
		t.Fatal(err)
	}
	if pins := s.Ceremonies.PINs(); !slices.Equal(pins, []string{text, text}) {
		t.Errorf("arrived %q", pins)
	}
	for _, left := range [][]byte{ask.PIN.Value, pin} {
		if bytes.ContainsAny(left, "123") {
			t.Errorf("left %q", left)
		}
	}
	if ended, err := c.CancelCeremony(t.Context(), begun.ID); err != nil || ended.State != contract.CeremonyCancelled {
		t.Errorf("%+v, %v", ended, err)
	}
	wantProblem(t, c.AnswerPIN(t.Context(), begun.ID, []byte("123456")), "CEREMONY_OVER")
	if got, err := c.Ceremony(t.Context(), begun.ID, time.Minute); err != nil || got.State != contract.CeremonyCancelled {
		t.Errorf("%+v, %v", got, err)
	}
	var usage *client.UsageError
	if err := c.AnswerPIN(t.Context(), begun.ID, []byte("12\xff")); !errors.As(err, &usage) || strings.Contains(err.Error(), "12") {
		t.Errorf("got %v", err)
	}
}
