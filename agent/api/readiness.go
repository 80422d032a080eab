package api

import (
	"context"
	"slices"
	"strings"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// maxWait is how long a readiness call may be held.
const maxWait = 5 * time.Minute

type readinessInput struct {
	AAL    int    `query:"aal" required:"true" minimum:"2" maximum:"3" doc:"authenticator assurance level: 2 or 3"`
	Target string `query:"target" required:"true" maxLength:"64" doc:"what the login is aimed at: mock, int, dep, prod"`
	Kind   string `query:"kind" enum:"smartcard,security-key,platform,totp" doc:"only authenticators of this kind"`
	User   string `query:"user" pattern:"^[0-9]{12}$" patternDescription:"12 digits" doc:"only the card of this user"`
	Look   bool   `query:"look" default:"true" doc:"false: answer by what is known, and have nothing looked at for it: for who shows all targets and cares about none"`
	Wait   string `query:"wait" maxLength:"16" doc:"hold the call until ready or this time is up: a Go duration such as 30s, at most 5m"`
}

// getReadiness judges the snapshot. It answers 200 whatever the verdict is:
// "not ready" is an answer, not a failure.
func (s *Server) getReadiness(ctx context.Context, in *readinessInput) (*bytesOutput, error) {
	if !slices.Contains(s.config.Targets, in.Target) {
		return nil, refuse(failure.BadRequest, "query.target", "allowed: "+strings.Join(s.config.Targets, ", ")+given(in.Target))
	}
	wait, err := parseWait(in.Wait, maxWait)
	if err != nil {
		return nil, err
	}
	if in.Look {
		s.interested(in.Target)
	}
	question := contract.Question{AAL: in.AAL, Target: in.Target, Kind: contract.Kind(in.Kind), User: in.User}
	a, err := s.verdicts.answer(question, s.config.Inventory.View())
	if err == nil && wait > 0 && a.outcome != contract.VerdictReady {
		if err := s.await(ctx, question, wait); err != nil {
			return nil, err
		}
		a, err = s.verdicts.answer(question, s.config.Inventory.View())
	}
	if err != nil {
		return nil, err
	}
	out := &bytesOutput{ContentType: asJSON, Body: a.masked}
	if mayIdentify(ctx) {
		out.Body = a.plain
	}
	return out, nil
}

// interested has a target looked at: what the answer rests on is from before, and
// the next one, or one that is waited for, is of what is seen now.
func (s *Server) interested(target string) {
	if s.config.Lookout != nil {
		s.config.Lookout.Ask(target)
	}
}

// await returns once the answer is ready or the time is up; the caller then
// gets the verdict as it is. When the daemon stops it is refused: what it saw
// last is no answer to "when is it ready".
func (s *Server) await(ctx context.Context, question contract.Question, wait time.Duration) error {
	ctx, release, err := s.hold(ctx)
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	_, err = s.config.Inventory.Await(ctx, func(*contract.Snapshot) bool {
		// The newest one, which may be newer than what Await looks at.
		a, err := s.verdicts.answer(question, s.config.Inventory.View())
		return err != nil || a.outcome == contract.VerdictReady
	})
	if err == nil {
		return nil // it is ready
	}
	return cutShort(ctx) // that the time is up is no failure of the question
}

// parseWait reads the query parameter wait.
func parseWait(text string, most time.Duration) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 || wait > most {
		return 0, refuse(failure.BadRequest, "query.wait", "allowed: a duration such as 30s, at most "+most.String()+given(text))
	}
	return wait, nil
}
