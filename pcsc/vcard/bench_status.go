package vcard

import (
	"bytes"
	"strings"

	"authbridge/pcsc"
)

// maxStates is how many reader states a call may have in pcsc-lite
// (PCSCLITE_MAX_READERS_CONTEXTS).
const maxStates = 16

// view is what the service knows of one reader.
type view struct {
	known     bool
	present   bool
	mute      bool // present, and did not answer the reset
	exclusive bool
	shared    bool
	counter   uint16
}

// judge is what SCardGetStatusChange makes of one reader: the event state, and
// whether it differs from what the caller believes. Only a believed counter
// that is not 0 is compared.
func judge(current pcsc.StateFlags, v view) (event pcsc.StateFlags, changed bool) {
	if !v.known {
		event = pcsc.StateUnknown | pcsc.StateUnavailable
		changed = !current.Has(pcsc.StateUnknown)
	} else {
		event = pcsc.StateFlags(v.counter) << 16
		changed = current == pcsc.StateUnaware ||
			current&(pcsc.StateUnknown|pcsc.StateUnavailable) != 0 ||
			current.Counter() != 0 && current.Counter() != v.counter
		if v.present {
			event |= pcsc.StatePresent
			if v.mute {
				event |= pcsc.StateMute
			}
			changed = changed || current.Has(pcsc.StateEmpty) || current.Has(pcsc.StateMute) != v.mute
		} else {
			event |= pcsc.StateEmpty
			changed = changed || current.Has(pcsc.StatePresent)
		}
		switch {
		case v.exclusive:
			event |= pcsc.StateExclusive
			changed = changed || current.Has(pcsc.StateInUse)
		case v.shared && v.present:
			event |= pcsc.StateInUse
			changed = changed || current.Has(pcsc.StateExclusive)
		case !v.shared:
			changed = changed || current&(pcsc.StateInUse|pcsc.StateExclusive) != 0
		}
	}
	if changed {
		event |= pcsc.StateChanged
	}
	return event, changed
}

// observe fills in the events of all states. In the first round, a name that
// is not known fails the whole call; in later ones it is a reader that went.
// plugged is the count of reader comings and goings when the call began.
func (b *Bench) observe(states []pcsc.ReaderState, plugged uint16, first bool) (changed bool, _ pcsc.Code) {
	watched := 0
	for i := range states {
		s := &states[i]
		if s.Current.Has(pcsc.StateIgnore) {
			s.Event = pcsc.StateIgnore
			continue
		}
		watched++
		if first && !isPnP(s.Reader) && b.find(s.Reader) == nil {
			return false, pcsc.SCARD_E_UNKNOWN_READER
		}
	}
	if watched == 0 {
		return true, 0
	}
	for i := range states {
		s := &states[i]
		switch {
		case s.Current.Has(pcsc.StateIgnore):
		case isPnP(s.Reader):
			s.Event = pcsc.StateFlags(b.plugged) << 16
			believed := s.Current.Counter()
			if b.plugged != plugged || believed != 0 && believed != b.plugged {
				s.Event |= pcsc.StateChanged
				changed = true
			}
		default:
			r := b.find(s.Reader)
			event, differs := judge(s.Current, r.view())
			s.Event, changed = event, changed || differs
			s.ATR = nil
			if r != nil {
				s.ATR = bytes.Clone(r.atr)
			}
		}
	}
	return changed, 0
}

func isPnP(name string) bool { return strings.EqualFold(name, pcsc.PnPNotification) }

func (r *reader) view() view {
	if r == nil {
		return view{}
	}
	return view{
		known:     true,
		present:   r.card != nil,
		mute:      r.card != nil && r.atr == nil,
		exclusive: r.exclusive,
		shared:    r.handles > 0,
		counter:   r.counter,
	}
}
