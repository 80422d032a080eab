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

var atMock = contract.LoginRequest{Target: "mock"}

func TestALoginIsRunToItsEnd(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	var steps []string
	var states []contract.LoginState
	over, err := c.RunLogin(t.Context(), atMock, client.LoginTold{Run: func(l contract.Login) {
		states = append(states, l.State)
		for _, step := range l.Steps {
			steps = append(steps, step.Name)
		}
		if len(steps) == 1 {
			s.Logins.Step(l.ID, "authorize")
			s.Logins.Step(l.ID, "token")
			s.Logins.Finish(l.ID, contract.LoginFailed)
		}
	}})
	if err != nil || over.State != contract.LoginFailed || over.Problem == nil || len(over.Steps) != 3 {
		t.Fatalf("%+v, %v: a run that fails is no error", over, err)
	}
	if !slices.Equal(steps, []string{"preflight", "authorize", "token"}) || states[len(states)-1] != contract.LoginFailed {
		t.Errorf("told of %v, %v", steps, states)
	}

	// While it is followed each step is told, once.
	steps = nil
	followed, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		over, err = c.RunLogin(context.WithoutCancel(t.Context()), atMock, client.LoginTold{Run: func(l contract.Login) {
			for _, step := range l.Steps {
				steps = append(steps, step.Name)
			}
			select {
			case followed <- l.ID:
			default:
			}
		}})
	}()
	id := <-followed
	for !held(t, c) { // its stream is open
	}
	for _, name := range []string{"authorize", "ceremony", "proof"} {
		s.Logins.Step(id, name)
	}
	s.Logins.Finish(id, contract.LoginPassed)
	<-ended
	if err != nil || over.State != contract.LoginPassed || !slices.Equal(steps, []string{"preflight", "authorize", "ceremony", "proof"}) {
		t.Errorf("%+v, %v; told of %v", over, err, steps)
	}

	list, err := c.Logins(t.Context())
	if err != nil || len(list) != 2 || list[0].ID != id {
		t.Errorf("%+v, %v", list, err)
	}
	if report, err := c.LoginReport(t.Context(), id, contract.LoginReportHTML); err != nil || string(report) != "html of "+id {
		t.Errorf("%s, %v", report, err)
	}
	if got, err := c.Login(t.Context(), id, time.Minute); err != nil || got.State != contract.LoginPassed {
		t.Errorf("%+v, %v", got, err)
	}
	_, err = c.Login(t.Context(), "none", 0)
	wantProblem(t, err, "LOGIN_UNKNOWN")
}

// TestWhoGivesUpCancelsTheLogin, whichever way it waits.
func TestWhoGivesUpCancelsTheLogin(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	over, err := c.RunLogin(ctx, atMock, client.LoginTold{Run: func(contract.Login) { cancel() }})
	if !errors.Is(err, context.Canceled) || over.State != contract.LoginAborted {
		t.Errorf("%+v, %v", over, err)
	}

	ctx, cancel = context.WithCancel(t.Context())
	waited := make(chan error, 1)
	ask := atMock
	ask.Wait = true
	go func() { waited <- second(c.BeginLogin(ctx, ask)) }()
	for !held(t, c) {
	}
	cancel()
	if err := <-waited; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	for late := time.Now().Add(time.Minute); ; {
		list, err := c.Logins(t.Context())
		if err != nil || time.Now().After(late) {
			t.Fatalf("%+v, %v", list, err)
		}
		if len(list) == 2 && list[0].State == contract.LoginAborted {
			break
		}
	}
}

func TestSecretsOfALoginArriveAndAreWiped(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overTCP(t, s, s.Secret)
	ask := atMock
	ask.PIN = &contract.PINSource{Value: contract.Secret("12\"3")}
	ask.Tokens = &contract.LoginTokens{IDToken: contract.Secret("ey.1." + strings.Repeat("x", 30<<10)), AccessToken: contract.Secret("123")}
	want := string(ask.Tokens.IDToken)
	if _, err := c.BeginLogin(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if pins, tokens := s.Logins.Secrets(); !slices.Equal(pins, []string{"12\"3"}) || !slices.Equal(tokens, []string{want}) {
		t.Errorf("%q and %d tokens arrived", pins, len(tokens))
	}
	for _, left := range [][]byte{ask.PIN.Value, ask.Tokens.IDToken, ask.Tokens.AccessToken} {
		if bytes.ContainsAny(left, "123x") {
			t.Errorf("left %q", left)
		}
	}
}

// TestTheAddressForTheBrowserIsToldOnce, though no event has it.
func TestTheAddressForTheBrowserIsToldOnce(t *testing.T) {
	s := apitest.Start(t, apitest.Options{})
	c := overSocket(t, s)
	ask := atMock
	ask.Mode = contract.DriveBrowser
	var addresses []string
	waits := false
	over, err := c.RunLogin(t.Context(), ask, client.LoginTold{
		Run: func(l contract.Login) {
			if !waits {
				waits = true
				s.Logins.Step(l.ID, "lease")
				s.Logins.Open(l.ID)
			}
		},
		Open: func(address string) {
			addresses = append(addresses, address)
			list, _ := s.Logins.Logins(t.Context())
			s.Logins.Step(list[0].ID, "browser")
			s.Logins.Finish(list[0].ID, contract.LoginPassed)
		},
	})
	if err != nil || over.State != contract.LoginPassed || !slices.Equal(addresses, []string{apitest.Opens}) {
		t.Errorf("%+v, %v; told of %q", over, err, addresses)
	}
}
