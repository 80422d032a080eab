package vcard

import (
	"testing"

	"authbridge/pcsc"
)

// What pcsc-lite makes of a reader's state (winscard_clnt.c,
// SCardGetStatusChange).
func TestJudge(t *testing.T) {
	const counter = 7
	here := view{known: true, present: true, counter: counter}
	gone := view{known: true, counter: counter}
	mute := view{known: true, present: true, mute: true, counter: counter}
	shared := view{known: true, present: true, shared: true, counter: counter}
	alone := view{known: true, present: true, exclusive: true, shared: true, counter: counter}
	n := func(c uint16) pcsc.StateFlags { return pcsc.StateFlags(c) << 16 }
	for name, row := range map[string]struct {
		current pcsc.StateFlags
		v       view
		event   pcsc.StateFlags
		changed bool
	}{
		"first look, card":           {pcsc.StateUnaware, here, n(7) | pcsc.StatePresent, true},
		"first look, empty":          {pcsc.StateUnaware, gone, n(7) | pcsc.StateEmpty, true},
		"same":                       {n(7) | pcsc.StatePresent, here, n(7) | pcsc.StatePresent, false},
		"same, without counter":      {pcsc.StatePresent, here, n(7) | pcsc.StatePresent, false},
		"swapped":                    {n(5) | pcsc.StatePresent, here, n(7) | pcsc.StatePresent, true},
		"inserted":                   {pcsc.StateEmpty, here, n(7) | pcsc.StatePresent, true},
		"removed":                    {pcsc.StatePresent, gone, n(7) | pcsc.StateEmpty, true},
		"turned mute":                {n(7) | pcsc.StatePresent, mute, n(7) | pcsc.StatePresent | pcsc.StateMute, true},
		"still mute":                 {n(7) | pcsc.StatePresent | pcsc.StateMute, mute, n(7) | pcsc.StatePresent | pcsc.StateMute, false},
		"mute no more":               {n(7) | pcsc.StatePresent | pcsc.StateMute, here, n(7) | pcsc.StatePresent, true},
		"taken into use is no event": {n(7) | pcsc.StatePresent, shared, n(7) | pcsc.StatePresent | pcsc.StateInUse, false},
		"taken exclusively is none":  {n(7) | pcsc.StatePresent, alone, n(7) | pcsc.StatePresent | pcsc.StateExclusive, false},
		"exclusive after shared":     {n(7) | pcsc.StatePresent | pcsc.StateInUse, alone, n(7) | pcsc.StatePresent | pcsc.StateExclusive, true},
		"shared after exclusive":     {n(7) | pcsc.StatePresent | pcsc.StateExclusive, shared, n(7) | pcsc.StatePresent | pcsc.StateInUse, true},
		"given back":                 {n(7) | pcsc.StatePresent | pcsc.StateInUse, here, n(7) | pcsc.StatePresent, true},
		"unplugged":                  {n(7) | pcsc.StatePresent, view{}, pcsc.StateUnknown | pcsc.StateUnavailable, true},
		"still unplugged":            {pcsc.StateUnknown, view{}, pcsc.StateUnknown | pcsc.StateUnavailable, false},
		"plugged again":              {pcsc.StateUnknown, here, n(7) | pcsc.StatePresent, true},
		"empty and connected direct": {n(7) | pcsc.StateEmpty, view{known: true, shared: true, counter: counter}, n(7) | pcsc.StateEmpty, false},
	} {
		want := row.event
		if row.changed {
			want |= pcsc.StateChanged
		}
		if event, changed := judge(row.current, row.v); event != want || changed != row.changed {
			t.Errorf("%s: %08x, %v, want %08x, %v", name, event, changed, want, row.changed)
		}
	}
}
