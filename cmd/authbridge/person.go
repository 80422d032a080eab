package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"golang.org/x/term"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// errNobody: a PIN is wanted, and there is nobody to ask.
var errNobody = errors.New("PIN_REQUIRED: a PIN is needed, and there is no terminal to ask for it\n  → use --pin-stdin or --pin-keyring, or bind a file to the authenticator in the configuration")

// person is whoever sits at the terminal, whatever standard input is.
type person struct {
	tty    *os.File
	before *term.State
}

// findPerson is nil where there is no terminal.
func findPerson() *person {
	name := "/dev/tty"
	if runtime.GOOS == "windows" {
		name = "CONIN$"
	}
	tty, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return nil
	}
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		_ = tty.Close()
		return nil
	}
	return &person{tty, before}
}

// answer has the PIN entered, unseen, and sends it; again where it can be none,
// which costs no try. An answer that came too late is the ceremony's to say.
func (p *person) answer(ctx context.Context, cl *client.Client, ceremony string, s *screen) error {
	for {
		pin, err := term.ReadPassword(int(p.tty.Fd()))
		_, _ = fmt.Fprintln(p.tty)
		if err != nil {
			return fmt.Errorf("the PIN could not be read: %w", err)
		}
		err = cl.AnswerPIN(ctx, ceremony, pin)
		var problem *contract.Problem
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.As(err, &problem) && problem.Code == "PIN_FORMAT":
			s.text("→ ", "  ", "That can be no PIN, and nothing was sent: enter it again")
		default:
			return err
		}
	}
}

// leave gives the terminal back as it was: a ceremony can end while the PIN is
// being entered.
func (p *person) leave() {
	if p != nil {
		_ = term.Restore(int(p.tty.Fd()), p.before)
	}
}

// attendant shows a person what ceremonies ask, and has the PIN entered.
type attendant struct {
	client *client.Client
	screen *screen
	// cancel ends what the ceremonies are part of, where nobody can answer.
	cancel context.CancelCauseFunc
	tty    *person
}

// hear takes each state of a ceremony. It does not wait for the person.
func (a *attendant) hear(ctx context.Context, now contract.Ceremony) {
	if now.Prompt == nil {
		return
	}
	a.screen.text("→ ", "  ", promptText(&now, time.Now()))
	if now.State != contract.CeremonyPIN {
		return
	}
	if a.tty == nil {
		if a.tty = findPerson(); a.tty == nil {
			a.cancel(errNobody)
			return
		}
	}
	go func() {
		if err := a.tty.answer(ctx, a.client, now.ID, a.screen); err != nil {
			a.cancel(err)
		}
	}()
}

// leave gives the terminal back as it was.
func (a *attendant) leave() { a.tty.leave() }
