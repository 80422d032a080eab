package main

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/sirupsen/logrus"
)

// TestTheJournalGetsEntriesAsItKeepsThem: with the priority of syslog, the
// fields by name, and nothing is lost where it does not take them.
func TestTheJournalGetsEntriesAsItKeepsThem(t *testing.T) {
	t.Parallel()
	type entry struct {
		priority int
		text     string
	}
	var got []entry
	var fields map[string]string
	var down error
	var other bytes.Buffer
	log := logrus.New()
	log.SetOutput(io.Discard)
	log.SetLevel(logrus.TraceLevel)
	log.AddHook(journalHook{func(priority int, text string, f map[string]string) error {
		got, fields = append(got, entry{priority, text}), f
		return down
	}, &other})
	log.WithError(errors.New("no room")).WithField("pid", 7).Error("a")
	if fields["AUTHBRIDGE_PID"] != "7" || fields["AUTHBRIDGE_ERROR"] != "no room" {
		t.Errorf("fields: %v", fields)
	}
	log.Warn("b")
	log.Info("c")
	log.Debug("d")
	log.Trace("e")
	want := []entry{{3, `a error="no room" pid="7"`}, {4, "b"}, {6, "c"}, {7, "d"}, {7, "e"}}
	for i := range want {
		if i >= len(got) || got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
	if down = errors.New("gone"); other.Len() != 0 {
		t.Errorf("also written elsewhere: %q", other.String())
	}
	log.Info("f")
	if other.String() != "f\n" {
		t.Errorf("what the journal did not take is %q", other.String())
	}
}
