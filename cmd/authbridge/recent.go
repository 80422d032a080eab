package main

import (
	"slices"
	"sync"

	"github.com/sirupsen/logrus"
)

// recentLog keeps the newest entries of the log for a support bundle. Traces,
// which are for debugging, hold what is on a card: they are not kept.
type recentLog struct {
	form logrus.JSONFormatter

	mu     sync.Mutex
	lines  [][]byte
	octets int
}

// recentOctets bounds what is kept, some thousand entries.
const recentOctets = 256 << 10

// recentOf is what keeps a logger's entries. The daemon starts over with the same
// logger.
func recentOf(log *logrus.Logger) *recentLog {
	for _, hook := range log.Hooks[logrus.ErrorLevel] {
		if kept, is := hook.(*recentLog); is {
			return kept
		}
	}
	kept := &recentLog{form: logrus.JSONFormatter{TimestampFormat: logTime}}
	log.AddHook(kept)
	return kept
}

// Levels are all but those of traces.
func (*recentLog) Levels() []logrus.Level {
	return []logrus.Level{logrus.PanicLevel, logrus.FatalLevel, logrus.ErrorLevel, logrus.WarnLevel, logrus.InfoLevel}
}

// Fire keeps one entry.
func (k *recentLog) Fire(e *logrus.Entry) error {
	line, err := k.form.Format(e)
	if err != nil {
		return err
	}
	line = line[:len(line)-1] // its line end
	k.mu.Lock()
	defer k.mu.Unlock()
	k.lines = append(k.lines, line)
	k.octets += len(line)
	for k.octets > recentOctets {
		k.octets -= len(k.lines[0])
		k.lines[0] = nil
		k.lines = k.lines[1:]
	}
	return nil
}

// newest are the entries, in order.
func (k *recentLog) newest() [][]byte {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.lines)
}
