package main

import (
	"testing"
	"time"

	"authbridge/agent/contract"
)

// TestAClickDoesWhatWasShown: the one prompt goes and another takes its row,
// while the hand is on its way.
func TestAClickDoesWhatWasShown(t *testing.T) {
	t.Parallel()
	waits := func(id string) contract.Event {
		c := contract.Ceremony{ID: id, Name: "key " + id, State: contract.CeremonyPIN, Deadline: noon.Add(time.Minute), Prompt: &contract.Prompt{Kind: "pin", Text: "Enter the PIN of key " + id}}
		return contract.Event{Type: contract.CeremonyChanged, Ceremony: &c}
	}
	over := contract.Event{Type: contract.CeremonyChanged, Ceremony: &contract.Ceremony{ID: "a", State: contract.CeremonyDone}}
	w := seen(contract.Snapshot{}, nil, waits("a"))
	var m meanings
	show := func(at time.Time, events ...contract.Event) {
		for _, e := range events {
			w.apply(e)
		}
		m.learn(w.view(at), at)
	}
	clicked := func(at time.Time) string {
		a := m.of(click{rowPrompts, at})
		if (a.what == enterPIN) != (a.ceremony != "") {
			t.Errorf("%+v is half an action", a)
		}
		return a.ceremony
	}
	show(noon)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{-time.Second, ""}, {0, ""}, {steady - 1, ""}, {steady, "a"}, {time.Hour, "a"}} {
		if got := clicked(noon.Add(c.after)); got != c.want {
			t.Errorf("a click after %s means %q, want %q", c.after, got, c.want)
		}
	}
	later := noon.Add(10 * time.Second)
	show(later) // a second less is left
	if got := clicked(later); got != "a" {
		t.Errorf("a row that means the same as before means %q", got)
	}
	show(later, waits("b"), over)
	for _, c := range []struct {
		after time.Duration
		want  string
	}{{-1, ""}, {0, ""}, {steady - 1, ""}, {steady, "b"}} {
		if got := clicked(later.Add(c.after)); got != c.want {
			t.Errorf("%s after b took the row of a, a click means %q, want %q", c.after, got, c.want)
		}
	}
}
