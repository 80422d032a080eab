package fido

import "fmt"

// assembly puts the packets of one channel together to messages. It trusts
// nothing: whatever it is given, it yields a message that is as long as it
// claims to be, or says what was wrong, and then starts anew.
type assembly struct {
	under bool // a message is under way
	m     message
	want  int
	seq   byte
}

// add takes the next packet of the channel. It returns a message once one is
// whole; a *FrameError where the packet makes no sense there.
func (a *assembly) add(p *packet) (*message, error) {
	switch {
	case p.isInit() && a.under:
		*a = assembly{}
		return nil, &FrameError{fmt.Sprintf("%s begins in the middle of another message", p.cmd())}
	case p.isInit():
		if p.bcnt() > maxMessage {
			return nil, &FrameError{fmt.Sprintf("%s of %d octets, at most %d fit", p.cmd(), p.bcnt(), maxMessage)}
		}
		*a = assembly{under: true, m: message{cmd: p.cmd()}, want: p.bcnt()}
		return a.take(p.first()), nil
	case !a.under:
		return nil, &FrameError{"a continuation packet without a message"}
	case p.seq() != a.seq:
		want := a.seq
		*a = assembly{}
		return nil, &FrameError{fmt.Sprintf("continuation packet %d where %d was due", p.seq(), want)}
	default:
		a.seq++
		return a.take(p.rest()), nil
	}
}

// take adds octets; what is beyond the length is padding.
func (a *assembly) take(octets []byte) *message {
	a.m.data = append(a.m.data, octets[:min(len(octets), a.want-len(a.m.data))]...)
	if len(a.m.data) < a.want {
		return nil
	}
	m := a.m
	*a = assembly{}
	return &m
}
