package main

import "time"

// click is one on a row of the menu, and when it came.
type click struct {
	row int
	at  time.Time
}

// steady is how long a row must have been of one ceremony before a click on it
// counts. A prompt that goes makes room for another while the hand that aims at
// the first is on its way: people take 200 ms and more, and the panel its time to
// draw.
const steady = 500 * time.Millisecond

// meanings are what a click on each row does, and since when it is shown. What a
// panel says of a row counts for nothing.
type meanings [rows]struct {
	action action
	since  time.Time
}

// learn takes what is shown now.
func (m *meanings) learn(v view, now time.Time) {
	for i, r := range v.rows {
		if m[i].action != r.action {
			m[i].action, m[i].since = r.action, now
		}
	}
}

// of is what a click does: what was shown when it came and for a while before,
// nothing if that may have been another ceremony.
func (m *meanings) of(c click) action {
	meant := m[c.row]
	if meant.action.ceremony != "" && c.at.Sub(meant.since) < steady {
		return action{}
	}
	return meant.action
}
