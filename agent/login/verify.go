package login

import (
	"context"
	"encoding/json"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// verify judges the tokens of a login that somebody else did.
func (o *run) verify(ctx context.Context) error {
	o.change(func(l *contract.Login) { l.State = contract.LoginRunning })
	ctx, cancel := o.timed(ctx)
	defer cancel()
	given := o.asked.Tokens
	t := Tokens{IDToken: given.IDToken, AccessToken: given.AccessToken, Userinfo: given.Userinfo}
	want := Expectation{
		Issuer: o.asked.target.Issuer, ClientID: o.snapshot().ClientID, Nonce: given.Nonce, WantsNonce: given.Nonce != "",
		ACRs: o.asked.acrs, Known: o.asked.target.ACRs, AMRs: o.asked.target.AMRs, AAL: o.asked.aal, MaxAge: o.asked.maxAge,
		User: o.asked.User,
	}
	if err := o.useCeremony(ctx, &want); err != nil {
		return err
	}
	if err := o.meet(ctx); err != nil {
		return err
	}
	want.Ahead = o.provider.ahead
	if len(t.Userinfo) == 0 && len(t.AccessToken) > 0 {
		err := o.step(ctx, "userinfo", "who the access token is about", func(ctx context.Context, s *contract.LoginStep) (err error) {
			if t.Userinfo, err = o.userinfo(ctx, t.AccessToken); err == nil {
				s.Got = "answered"
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	if bare := signedText(t.Userinfo); bare != nil {
		t.Userinfo = bare
	}
	o.judge(ctx, t, want)
	return nil
}

// signedText is userinfo that came as JSON text; nil where it is an object.
func signedText(raw json.RawMessage) json.RawMessage {
	var text string
	if json.Unmarshal(raw, &text) != nil {
		return nil
	}
	return json.RawMessage(text)
}

// afterCeremony is how long a sign-in may take once its authenticator has signed:
// a role may be chosen. A later one was by another ceremony.
const afterCeremony = 5 * time.Minute

// useCeremony takes from the record of a ceremony which authenticator was
// really used.
func (o *run) useCeremony(ctx context.Context, want *Expectation) error {
	id := o.asked.Tokens.Ceremony
	if id == "" {
		want.With = cis2.Authenticator(o.asked.Kind) // as it was said to be
		return nil
	}
	return o.step(ctx, "ceremony", "a ceremony that was done for "+o.asked.Target, func(_ context.Context, s *contract.LoginStep) error {
		c, owner, ok := o.r.config.Ceremonies.Ceremony(id)
		switch {
		case !ok:
			return &failure.Error{Code: failure.CeremonyUnknown}
		case !o.by.Owns(owner):
			return &failure.Error{Code: failure.LeaseNotYours, Detail: "the ceremony is not yours"}
		}
		s.Got = string(c.Type) + " is " + string(c.State) + " by " + c.Name + " (" + string(c.Origin) + ") for " + c.Target
		switch {
		case c.State != contract.CeremonyDone:
			return &failure.Error{Code: failure.TokACRAMR, Detail: "it was not done"}
		case c.Target != o.asked.Target:
			return &failure.Error{Code: failure.TokACRAMR, Detail: "it was for another target"}
		}
		o.used = c.Type != contract.CeremonyCreate
		want.With, want.Since, want.Until = cis2.SecurityKey, c.StartedAt, c.EndedAt.Add(afterCeremony)
		kind := contract.SecurityKey
		if c.Type == contract.CeremonySign {
			want.With, kind = cis2.Smartcard, contract.Smartcard
			if a := find(o.r.config.Inventory.Snapshot(), c.Authenticator); a != nil {
				want.CardUser = a.User
			}
		}
		o.change(func(l *contract.Login) {
			l.Authenticator, l.Name, l.Kind, l.Origin, l.Lease = c.Authenticator, c.Name, kind, c.Origin, c.Lease
		})
		return nil
	})
}
