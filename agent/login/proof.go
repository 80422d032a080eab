package login

import (
	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// proofOf is what a run that is over has shown of its authenticator; nil where
// that is nothing. What rests on a virtual one is shown for the mock alone. said
// is what the target says of the sign-in, nil where the authenticator has not
// signed for it.
func proofOf(l *contract.Login, said *cis2.IDToken) *contract.Proof {
	if negative(l.Scenario) || l.Authenticator == "" || l.Origin != contract.Physical && l.Target != cis2.Mock {
		return nil
	}
	p := contract.Proof{
		Authenticator: l.Authenticator, Kind: l.Kind, Target: l.Target, User: l.User, At: l.EndedAt, Login: l.ID, ACR: l.ACR,
	}
	switch {
	case l.State == contract.LoginPassed && said != nil:
		p.Outcome, p.User, p.ACR, p.AMR = contract.Proven, said.Subject, said.ACR, said.AMR
		if said.AuthLevel != nil {
			p.AAL = said.AuthLevel.Value
		}
	case l.State == contract.LoginFailed && refusesAuthenticator(l):
		p.Outcome = contract.Refused
	default:
		return nil
	}
	if !cis2.ValidUser(p.User) {
		return nil
	}
	return &p
}

// refusesAuthenticator is whether a run failed because the target did not take
// what the authenticator has signed. What else goes wrong says nothing of it.
func refusesAuthenticator(l *contract.Login) bool {
	for _, s := range l.Steps {
		if s.State == contract.StepFail {
			return s.Name == stepProof && s.Code == string(failure.LoginRefused)
		}
	}
	return false
}
