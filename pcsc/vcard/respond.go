package vcard

import (
	"authbridge/pcsc"
	"authbridge/pcsc/apdu"
)

// respond gives what fits into Le, and keeps the rest for GET RESPONSE. In T=0
// a command with data has no Le (ISO 7816-3, 12.2.4), so there all is kept.
func (c *Card) respond(cmd apdu.Command, data []byte) []byte {
	if len(data) == 0 {
		return statusOnly(swOK)
	}
	room := cmd.Le
	if room == 0 && c.profile.Yubico {
		room = apdu.MaxShortLe
	}
	if c.profile.Protocol == pcsc.ProtocolT0 && len(cmd.Data) > 0 {
		room = 0
	}
	return c.session.deliver(data, room)
}

// getResponse is GET RESPONSE (SP 800-73-4 part 2, 3.1.3; ISO 7816-4, 7.6.1).
func (c *Card) getResponse(cmd apdu.Command) []byte {
	s := &c.session
	room := cmd.Le
	if room == 0 {
		room = apdu.MaxShortLe
	}
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return statusOnly(swWrongP1P2)
	case len(s.pending) == 0:
		return statusOnly(swConditionsNotSatisfied)
	case c.profile.Protocol == pcsc.ProtocolT0 && room > len(s.pending):
		// In T=0 the answer has exactly as many octets as were asked for.
		return statusOnly(swWrongLe | status(len(s.pending)))
	}
	return s.deliver(s.pending, room)
}

func (s *session) deliver(data []byte, room int) []byte {
	n := min(room, len(data))
	s.pending = data[n:]
	sw := swOK
	if left := len(s.pending); left > 0 {
		sw = swMore
		if left < apdu.MaxShortLe {
			sw |= status(left)
		}
	}
	answer := make([]byte, 0, n+2)
	return append(append(answer, data[:n]...), statusOnly(sw)...)
}
