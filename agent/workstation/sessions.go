package workstation

import (
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
)

const (
	// wordHolds is how long what a session says does: a person sets Windows Hello
	// up, or takes it away, and nobody tells.
	wordHolds = time.Hour
	// mostSessions bounds those of whom something is kept.
	mostSessions = 32
)

// TellHello takes somebody's word on Windows Hello, which holds for an hour. It
// returns at once. On a machine without Windows it is refused.
func (s *Source) TellHello(who string, report contract.HelloReport) error {
	if !s.config.Windows {
		return &failure.Error{Code: failure.BadRequest, Detail: "this machine has no Windows, and so no Windows Hello"}
	}
	now := s.config.Now()
	told := health.Session{Who: who, Since: now, At: now, API: report.API, Available: report.Available, Remote: report.Remote}
	s.mu.Lock()
	i := slices.IndexFunc(s.sessions, func(o health.Session) bool { return o.Who == who })
	if i >= 0 {
		told.Since = s.sessions[i].Since
		s.sessions = slices.Delete(s.sessions, i, i+1)
	}
	s.sessions = append(s.sessions, told)
	s.sessions = s.sessions[max(0, len(s.sessions)-mostSessions):] // the oldest word goes
	s.news = true
	s.mu.Unlock()
	s.nudge()
	return nil
}

// held are the sessions whose word holds, and when the next ends to; zero: none
// does.
func (s *Source) held() (all []health.Session, until time.Time) {
	now := s.config.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.news = false
	s.sessions = slices.DeleteFunc(s.sessions, func(o health.Session) bool { return now.Sub(o.At) >= wordHolds })
	if len(s.sessions) > 0 {
		until = s.sessions[0].At.Add(wordHolds) // the oldest comes first
	}
	return slices.Clone(s.sessions), until
}
