package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/platform"
)

// act does what was clicked, beside the loop.
func (t *tray) act(ctx context.Context, a action) {
	do := map[deed]func(context.Context) (string, error){
		openPage: t.deeds.openPage, copyReport: t.deeds.copyReport, saveBundle: t.deeds.saveBundle, startService: t.deeds.startService,
	}[a.what]
	switch {
	case a.what == enterPIN:
		t.enter(ctx, a.ceremony)
	case do != nil:
		t.begin(ctx, a.what, do)
	}
}

// begin does something that takes a while, and hears what came of it.
func (t *tray) begin(ctx context.Context, what deed, do func(context.Context) (string, error)) {
	t.world.said = ""
	t.hand(ctx, func() result {
		said, err := do(ctx)
		return result{what: what, said: said, err: err}
	})
}

func (t *tray) hand(ctx context.Context, do func() result) {
	go func() {
		select {
		case t.done <- do():
		case <-ctx.Done():
		}
	}()
}

// hear tells what came of something, where a person cannot see it by itself.
func (t *tray) hear(ctx context.Context, r result) {
	if r.dialogue != nil && r.dialogue == t.dialogue {
		t.endDialogue()
	}
	switch {
	case r.err != nil && !errors.Is(r.err, context.Canceled) && !errors.Is(r.err, platform.ErrPINDeclined):
		t.tell(ctx, failed[r.what], r.err.Error())
	case r.err == nil && r.said != "":
		t.tell(ctx, succeeded[r.what], r.said)
	}
}

var (
	succeeded = map[deed]string{copyReport: "The report is in the clipboard", saveBundle: "The support bundle is saved"}
	failed    = map[deed]string{
		enterPIN: "The PIN was not given", openPage: "The page could not be opened", copyReport: "The report could not be copied",
		saveBundle: "The support bundle could not be saved", startService: "The service could not be started",
	}
)

// tell shows a notification, or where none can be shown a row of the menu.
func (t *tray) tell(ctx context.Context, title, text string) {
	if _, err := t.bell.Show(ctx, title, sentence(text)); err != nil {
		t.world.said = title + ": " + text
	}
}

// ring shows a notification for each ceremony that waits for somebody, once, and
// takes it away when it does no longer.
func (t *tray) ring(ctx context.Context) {
	due := t.world.due(t.now())
	for key, number := range t.rung {
		if _, waits := due[key]; !waits {
			_ = t.bell.Close(ctx, number)
			delete(t.rung, key)
		}
	}
	for key, text := range due {
		if _, shown := t.rung[key]; !shown {
			number, _ := t.bell.Show(ctx, "authbridge", sentence(text))
			t.rung[key] = number
		}
	}
}

// quiet takes all notifications away.
func (t *tray) quiet() {
	ctx, cancel := context.WithTimeout(context.Background(), second)
	defer cancel()
	for _, number := range t.rung {
		_ = t.bell.Close(ctx, number)
	}
}

// open is a click on a notification: what its row in the menu would do.
func (t *tray) open(ctx context.Context, number uint32) {
	for key, shown := range t.rung {
		if shown == number {
			ceremony, _, _ := strings.Cut(key, "/")
			t.enter(ctx, ceremony)
		}
	}
}

// dialogue is a dialog that asks for a PIN.
type dialogue struct {
	ceremony string
	step     int
	cancel   context.CancelFunc
}

func (t *tray) endDialogue() {
	if t.dialogue != nil {
		t.dialogue.cancel()
		t.dialogue = nil
	}
}

// checkDialogue takes the dialog away once its ceremony waits for something else.
func (t *tray) checkDialogue() {
	if d := t.dialogue; d != nil {
		if c := t.world.ceremonies[d.ceremony]; !asksPIN(c) || len(c.Steps) != d.step {
			t.endDialogue()
		}
	}
}

// enter has the PIN of a ceremony entered, in a window that says who asks. To
// type it there is the consent; the click was none. There is one window at a
// time.
func (t *tray) enter(ctx context.Context, id string) {
	c, known := t.world.ceremonies[id]
	if !known || !asksPIN(c) || t.dialogue != nil {
		return
	}
	text, problem := t.world.dialogText(c), ""
	if c.Prompt.Again {
		problem = "That PIN was wrong."
	}
	within := c.Deadline.Sub(t.now())
	asking, cancel := context.WithCancel(ctx)
	d := &dialogue{id, len(c.Steps), cancel}
	t.dialogue = d
	t.hand(ctx, func() result {
		return result{what: enterPIN, err: t.ask(asking, id, text, problem, within), dialogue: d}
	})
}

// ask gives the PIN that a person enters, once; one that can be none costs no
// try, and is asked for again.
func (t *tray) ask(ctx context.Context, id, text, problem string, within time.Duration) error {
	for {
		pin, err := t.deeds.askPIN(ctx, text, problem, within)
		if err != nil {
			return err
		}
		err = t.client.AnswerPIN(ctx, id, pin) // and wipes it
		var refused *contract.Problem
		if !errors.As(err, &refused) || refused.Code != "PIN_FORMAT" {
			return err
		}
		problem = "That can be no PIN, and nothing was sent."
	}
}
