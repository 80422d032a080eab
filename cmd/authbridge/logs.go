package main

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sirupsen/logrus"
	"golang.org/x/term"

	"authbridge/platform"
)

// logTime is how entries tell their time where nobody watches.
const logTime = "2006-01-02T15:04:05.000Z07:00"

// newLogger is the one set-up of logs: text on a terminal, entries with their
// fields in a journal, JSON otherwise.
func newLogger(w io.Writer, level string) (*logrus.Logger, error) {
	l := logrus.New()
	l.SetOutput(w)
	parsed, err := logrus.ParseLevel(level)
	if err != nil {
		return nil, err
	}
	l.SetLevel(parsed)
	send := platform.Journal()
	switch {
	case isTerminal(w):
		l.SetFormatter(&logrus.TextFormatter{FullTimestamp: true, TimestampFormat: "15:04:05.000", DisableColors: os.Getenv("NO_COLOR") != ""})
	case send != nil && w == os.Stderr:
		l.SetOutput(io.Discard)
		l.AddHook(journalHook{send, w})
	default:
		l.SetFormatter(&logrus.JSONFormatter{TimestampFormat: logTime})
	}
	return l, nil
}

// journalHook hands entries to the journal, and to other where that fails.
type journalHook struct {
	send  func(priority int, text string, fields map[string]string) error
	other io.Writer
}

// Levels are all.
func (journalHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire sends one entry. What it names is a field of its own, which journalctl
// finds, and stands in the text for people.
func (h journalHook) Fire(e *logrus.Entry) error {
	var text strings.Builder
	text.WriteString(e.Message)
	fields := make(map[string]string, len(e.Data))
	for _, name := range slices.Sorted(maps.Keys(e.Data)) {
		said := fmt.Sprint(e.Data[name])
		fields["AUTHBRIDGE_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_"))] = said
		_, _ = fmt.Fprintf(&text, " %s=%q", name, said)
	}
	if err := h.send(priority(e.Level), text.String(), fields); err != nil {
		_, err = fmt.Fprintln(h.other, text.String())
		return err
	}
	return nil
}

// priority is that of syslog(3), which has one more between warning and info.
func priority(l logrus.Level) int {
	if l <= logrus.WarnLevel {
		return int(l) + 1
	}
	return min(int(l)+2, 7)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
