//go:build unix

package platform

import "github.com/coreos/go-systemd/v22/journal"

// Journal sends log entries to the system's journal, with their priority
// (syslog.h: 3 error to 7 debug) and their fields, where standard error goes
// there; else it is nil.
func Journal() func(priority int, text string, fields map[string]string) error {
	if is, err := journal.StderrIsJournalStream(); err != nil || !is {
		return nil
	}
	return func(priority int, text string, fields map[string]string) error {
		return journal.Send(text, journal.Priority(priority), fields)
	}
}
