package ceremony

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// answer is a PIN that came for a prompt.
type answer struct {
	pin  []byte
	from Source
}

// requestSource is what rule 1 calls the place that a request's PIN comes from.
// A lease's own token is its holder's: a new lease is no new source.
func requestSource(by, owner contract.Owner, secret string) Source {
	name := by.Name
	if by.Lease != "" {
		name = owner.Name
	}
	if secret != "" {
		return Source("secret " + secret + " of " + name)
	}
	return Source("requests of " + name)
}

// caller is who names the source, where that is a secret of the request.
func (w *work) caller(from Source) Source {
	p := w.request.PIN
	if p == nil || p.Secret == "" || from != requestSource(w.by, w.grant.Owner, p.Secret) {
		return ""
	}
	return requestSource(w.by, w.grant.Owner, "")
}

// answerSource tells a person's answer from a program's: a person is known by
// an identity of the operating system, not by a token.
func answerSource(by, owner contract.Owner) Source {
	if by.TokenID == "" && by.Lease == "" {
		return Person
	}
	return requestSource(by, owner, "")
}

// pin gets a PIN from where there is one. A source is asked once; only a person
// may try again.
func (a *act) pin(ctx context.Context, ask pinAsk) ([]byte, Source, error) {
	if a.supplied && a.from != Person {
		return nil, "", &failure.Error{Code: failure.PINRefused, Detail: "from " + string(a.from)}
	}
	pin, from, err := a.supply(ctx, ask)
	a.supplied, a.from = true, from
	return pin, from, err
}

func (a *act) supply(ctx context.Context, ask pinAsk) ([]byte, Source, error) {
	if a.asks() {
		return a.ask(ctx, ask)
	}
	if p := a.request.PIN; p != nil {
		return slices.Clone(p.Value), requestSource(a.by, a.owner, p.Secret), nil
	}
	bound := a.bound()
	from := Source("file " + bound.Name)
	pin, err := a.c.config.ReadPIN(bound.File)
	if err != nil {
		return nil, from, &failure.Error{Code: failure.PINFile, Detail: bound.Name + unreadable(err), Err: err}
	}
	if err := pinForm(a.grant.Authenticator.Kind, pin); err != nil {
		clear(pin)
		return nil, from, &failure.Error{Code: failure.PINFile, Detail: bound.Name + " holds no PIN", Err: err}
	}
	return pin, from, nil
}

// unreadable says why a file was not read: that it is not there, is not the
// daemon's own, or has another mode. It says nothing of what is in it, nor where
// it is.
func unreadable(err error) string {
	var path *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return " is not there"
	case errors.As(err, &path):
		return ": " + path.Err.Error()
	}
	return ""
}

// asks is whether a person will be asked for the next PIN: nothing of the
// authenticator is held open meanwhile.
func (a *act) asks() bool {
	switch {
	case a.supplied:
		return true
	case a.request.PIN != nil:
		return a.request.PIN.Ask
	}
	return a.bound() == nil
}

// bound is the file that the configuration binds to the authenticator and
// target. A live card has none: its PIN comes from nowhere but a person.
func (a *act) bound() *BoundPIN {
	if a.station.live() || a.c.config.ReadPIN == nil {
		return nil
	}
	for i, b := range a.c.config.Policy.PINs {
		if b.Authenticator == a.grant.Authenticator.ID && b.Target == a.grant.Target {
			return &a.c.config.Policy.PINs[i]
		}
	}
	return nil
}

// ask asks a person, until they answer or the ceremony ends.
func (a *act) ask(ctx context.Context, ask pinAsk) ([]byte, Source, error) {
	answers := make(chan answer, 1)
	a.await(answers)
	defer func() {
		a.await(nil)
		select {
		case unread := <-answers:
			clear(unread.pin)
		default:
		}
	}()
	a.step(contract.CeremonyPIN, pinPrompt(&a.grant, ask))
	select {
	case got := <-answers:
		a.step(contract.CeremonyRunning, nil)
		return got.pin, got.from, nil
	case <-ctx.Done():
		return nil, Person, ctx.Err()
	}
}

func (a *act) await(answers chan answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers = answers
}

// take takes an answer; one for each prompt.
func (a *act) take(got answer) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.answers != nil {
		a.answers <- got // it has room
		a.answers = nil
		return nil
	}
	clear(got.pin)
	if a.state.State.Over() {
		return &failure.Error{Code: failure.CeremonyOver, Field: "path.id", Detail: "it is " + string(a.state.State)}
	}
	return &failure.Error{Code: failure.CeremonyNoPrompt, Field: "path.id", Detail: "it is in the state " + string(a.state.State)}
}
