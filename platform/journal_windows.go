package platform

import "golang.org/x/sys/windows/svc/eventlog"

// event is the one number of our events: their text says all (EventCreate.exe,
// whose message file the service is installed with, knows 1 to 1000).
const event = 1

// Journal sends log entries to the event log while this process is the service;
// else it is nil. The log is that of all programs, and is looked at when something
// is wrong: it gets warnings and errors, and what else there is is in the bundle.
func Journal() func(priority int, text string, fields map[string]string) error {
	if serving.Load() == nil {
		return nil
	}
	log, err := eventlog.Open(ServiceName)
	if err != nil {
		return nil
	}
	return func(priority int, text string, _ map[string]string) error {
		switch { // syslog.h
		case priority <= 3:
			return log.Error(event, text)
		case priority == 4:
			return log.Warning(event, text)
		}
		return nil
	}
}
