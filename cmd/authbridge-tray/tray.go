package main

import (
	"context"
	"errors"
	"time"

	"authbridge/agent/client"
	"authbridge/agent/contract"
)

// face shows views and has clicks. It is a face alone: any program of the
// session can click, and can change what is shown.
type face interface {
	show(v view)
	clicks() <-chan click
}

// bell tells a person something in passing (platform.Desktop).
type bell interface {
	Show(ctx context.Context, title, text string) (uint32, error)
	Close(ctx context.Context, number uint32) error
	Clicked() <-chan uint32
}

// tray is the program: one goroutine has the world, and shows each change of it.
type tray struct {
	client    *client.Client
	questions []contract.Question
	face      face
	bell      bell
	deeds     deeds
	now       func() time.Time

	world    world
	means    meanings
	rung     map[string]uint32 // notifications that are shown, by what is due
	dialogue *dialogue         // while there is one

	news     chan told
	judge    chan struct{} // has room for one: more orders are the same one
	verdicts chan []contract.Verdict
	done     chan result
}

// result is what came of something that took a while.
type result struct {
	what     deed
	said     string
	err      error
	dialogue *dialogue
}

const (
	// lookAgain is how often a daemon that was not there at first is looked for.
	lookAgain = 2 * time.Second
	// second is how often a time that runs out is shown anew, and never where none
	// does.
	second = time.Second
)

// run shows the daemon until ctx ends or the person quits.
func (t *tray) run(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	t.news, t.verdicts = make(chan told), make(chan []contract.Verdict)
	t.judge, t.done = make(chan struct{}, 1), make(chan result)
	t.rung = map[string]uint32{}
	t.world.lose("The daemon is looked for.")
	ended := make(chan struct{}, 2)
	go func() { t.follow(ctx); ended <- struct{}{} }()
	go func() { t.judgeAll(ctx); ended <- struct{}{} }()
	defer func() {
		cancel()
		t.endDialogue()
		<-ended
		<-ended
		t.quiet()
	}()

	clock := time.NewTicker(second)
	defer clock.Stop()
	clock.Stop()
	ticking := false
	for {
		shown := t.world.view(t.now())
		t.face.show(shown)
		t.means.learn(shown, t.now())
		if waits := len(t.world.waiting()) > 0; waits != ticking {
			if ticking = waits; waits {
				clock.Reset(second)
			} else {
				clock.Stop()
				t.ring(ctx) // takes away what is shown
			}
		}
		select {
		case <-ctx.Done():
			return
		case news := <-t.news:
			if t.world.learn(news) {
				t.askForVerdicts()
			}
			t.checkDialogue()
		case t.world.verdicts = <-t.verdicts:
			if t.world.gone != "" {
				t.world.verdicts = nil
			}
		case <-clock.C:
			t.ring(ctx)
		case number := <-t.bell.Clicked():
			t.open(ctx, number)
		case c := <-t.face.clicks():
			a := t.means.of(c)
			if a.what == quit {
				return
			}
			t.act(ctx, a)
		case r := <-t.done:
			t.hear(ctx, r)
		}
	}
}

// follow hands on what the daemon says. The channel has no room, so a burst
// waits in the daemon, which gives a snapshot to who falls far behind.
func (t *tray) follow(ctx context.Context) {
	for {
		err := t.client.Events(ctx, "", func(e client.Event) error {
			news := told{Event: e}
			if e.Snapshot != nil {
				var err error
				if news.ceremonies, err = t.client.Ceremonies(ctx); err != nil && !errors.Is(err, client.ErrNotReachable) {
					return err
				}
			}
			return t.say(ctx, news)
		})
		if ctx.Err() != nil || t.say(ctx, told{gone: reason(err)}) != nil {
			return
		}
		select {
		case <-time.After(lookAgain):
		case <-ctx.Done():
			return
		}
	}
}

func (t *tray) say(ctx context.Context, news told) error {
	select {
	case t.news <- news:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reason is why there is no stream, for a person.
func reason(err error) string {
	var problem *contract.Problem
	switch {
	case errors.Is(err, client.ErrNotReachable):
		return "No daemon answers."
	case errors.As(err, &problem):
		return problem.Error() + ": " + problem.Remedy
	case err == nil:
		return "The daemon does not answer."
	}
	return err.Error()
}

func (t *tray) askForVerdicts() {
	select {
	case t.judge <- struct{}{}:
	default:
	}
}

// judgeAll asks for all verdicts each time it is told to. What comes of an order
// that came meanwhile is asked for after.
func (t *tray) judgeAll(ctx context.Context) {
	for {
		select {
		case <-t.judge:
		case <-ctx.Done():
			return
		}
		list := make([]contract.Verdict, 0, len(t.questions))
		for _, q := range t.questions {
			v, err := t.client.Ready(ctx, q, 0)
			if err != nil {
				v = contract.Verdict{Question: q, Outcome: contract.VerdictNotReady, Summary: reason(err)}
			}
			list = append(list, v)
		}
		select {
		case t.verdicts <- list:
		case <-ctx.Done():
			return
		}
	}
}
