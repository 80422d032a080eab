package lease

import (
	"strconv"
	"time"

	"authbridge/agent/contract"
)

// clock writes a time for a person, who may sit in another zone.
func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// reason says why a lease ended.
func reason(end contract.LeaseEnd) string {
	switch end {
	case contract.EndReleased:
		return "released"
	case contract.EndExpired:
		return "its time was up"
	case contract.EndConnection:
		return "the connection that held it ended"
	case contract.EndRestart:
		return "the daemon ended"
	case contract.EndTakeover:
		return "taken over"
	case contract.EndRevoked:
		return "the token that took it was revoked or expired, or its user lost the right to it"
	case contract.EndGaveUp:
		return "given up in the queue"
	case contract.EndRefused:
		return "the authenticator was not ready any more"
	case contract.EndUnusable:
		return "the authenticator cannot be used any more"
	}
	return string(end)
}

// holder names who has or wants a lease, and what for.
func holder(l *contract.Lease) string {
	if l.Purpose == "" {
		return l.Holder
	}
	return l.Holder + " for " + l.Purpose
}

// behalf is holder for the end of a line.
func behalf(l *contract.Lease) string {
	if l.Purpose == "" {
		return " (" + l.Holder + ")"
	}
	return " for " + l.Purpose + " (" + l.Holder + ")"
}

// occupied says who has an authenticator and until when.
func occupied(e *entry) string {
	name, l := e.authenticator.Name, &e.lease
	switch e.stage {
	case active:
		return name + " is held by " + holder(l) + " until " + clock(l.EndsAt)
	case ending:
		return name + " is being given back by " + holder(l)
	}
	return name + " is being given to " + holder(l)
}

// The lines that tell of a lease in the journal. They hold no personal data.

func tellsQueued(l *contract.Lease) string { return l.ID + " waits in the queue" + behalf(l) }

func tellsTaken(l *contract.Lease) string { return l.ID + " took " + l.Name + behalf(l) }

func tellsRenewed(l *contract.Lease) string {
	return l.ID + " keeps " + l.Name + " until " + clock(l.EndsAt) + behalf(l)
}

func tellsEnding(l *contract.Lease) string {
	return l.ID + " gives " + l.Name + " back, " + reason(l.End) + behalf(l)
}

func tellsEnded(l *contract.Lease) string {
	if l.Fence == 0 {
		return l.ID + " left the queue, " + reason(l.End) + behalf(l)
	}
	text := l.ID + " gave " + l.Name + " back, " + reason(l.End) + behalf(l)
	for _, remark := range l.Remarks {
		text += "; " + remark
	}
	return text
}

// andMore says that others have what would do too.
func andMore(n int) string {
	switch n {
	case 0:
		return ""
	case 1:
		return ", and another lease has one that would do"
	}
	return ", and " + strconv.Itoa(n) + " other leases have ones that would do"
}
