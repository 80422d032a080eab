package login

import (
	"context"
	"strings"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// reach looks at a real target before anything else is done: whether it can be
// reached, what it offers, and how far apart the clocks are. The mock is here.
func (o *run) reach(ctx context.Context) error {
	if o.asked.Target == cis2.Mock || o.r.config.Look == nil {
		return nil
	}
	return o.step(ctx, "target", "a sign-in service that can be reached, issuer "+o.asked.target.Issuer, func(ctx context.Context, s *contract.LoginStep) error {
		var failed contract.Check
		var remarks []string
		for _, c := range o.r.config.Look(ctx, o.asked.Target) {
			switch {
			case c.Code == string(failure.NetHSCN): // of smartcards with one sort of software
			case c.State == contract.Fail && failed.Code == "":
				failed = c
			case c.State == contract.Pass && s.Got == "":
				s.Got = c.Evidence
			case c.State == contract.Warn:
				remarks = append(remarks, c.Evidence)
			}
		}
		s.Evidence = printable(strings.Join(remarks, "; "))
		if failed.Code != "" {
			s.Got = ""
			return &failure.Error{Code: failure.Code(failed.Code), Detail: printable(failed.Evidence)}
		}
		return nil
	})
}

// turnDown ends a run that nobody can drive, with what to do instead.
func (o *run) turnDown(ctx context.Context) error {
	return o.step(ctx, "mode", "a sign-in page that the bridge can walk", func(context.Context, *contract.LoginStep) error {
		return &failure.Error{Code: failure.LoginMode, Detail: "the bridge walks the sign-in page of the mock alone: that of " + o.asked.Target + " is not public"}
	})
}
