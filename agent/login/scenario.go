package login

import (
	"context"
	"slices"
	"strings"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// plot is what a negative scenario needs and who must refuse in it.
type plot struct {
	refusers []contract.Refuser
	// kind is the one that it can be played with; empty: any.
	kind contract.Kind
	// aal is the least level that is to be asked for; 0: any.
	aal int
	// mock and virtual are the seams that it needs. One that needs virtual brings
	// an authenticator of its own.
	mock, virtual bool
	// unleased is one for which no authenticator is taken.
	unleased bool
	play     func(*run, context.Context) error
}

// plots is the table of negative scenarios.
var plots = map[contract.LoginScenario]plot{
	contract.ScenarioAAL2ForAAL3:        {refusers: byMockAndParty, aal: 3, mock: true, play: (*run).aal2ForAAL3},
	contract.ScenarioWrongUser:          {refusers: byMockAndParty, kind: contract.Smartcard, mock: true, play: (*run).wrongUser},
	contract.ScenarioTamperedToken:      {refusers: byParty, mock: true, play: (*run).tamperedToken},
	contract.ScenarioStaleAuthTime:      {refusers: byParty, mock: true, play: (*run).staleAuthTime},
	contract.ScenarioCardPulled:         {refusers: byBridge, kind: contract.Smartcard, mock: true, virtual: true, play: (*run).cardPulled},
	contract.ScenarioPINBlocked:         {refusers: byBridge, kind: contract.Smartcard, mock: true, virtual: true, play: (*run).pinBlocked},
	contract.ScenarioExpiredCertificate: {refusers: byMock, kind: contract.Smartcard, mock: true, virtual: true, play: (*run).expiredCertificate},
	contract.ScenarioTouchTimeout:       {refusers: byBridge, kind: contract.SecurityKey, virtual: true, play: (*run).touchTimeout},
	contract.ScenarioVirtualForINT:      {refusers: byBridge, unleased: true, play: (*run).virtualForINT},
}

var (
	byBridge       = []contract.Refuser{contract.RefusedByBridge}
	byMock         = []contract.Refuser{contract.RefusedByMock}
	byParty        = []contract.Refuser{contract.RefusedByRelyingParty}
	byMockAndParty = []contract.Refuser{contract.RefusedByMock, contract.RefusedByRelyingParty}
)

func refusers(s contract.LoginScenario) []contract.Refuser { return plots[s].refusers }

func negative(s contract.LoginScenario) bool {
	_, is := plots[s]
	return is
}

// castable is whether a scenario can be played here, and settles its kind.
func (r *Runner) castable(a *asked) error {
	if a.Scenario == contract.ScenarioStepUp {
		switch {
		case r.config.Mock == nil:
			return &failure.Error{Code: failure.LoginScenario, Field: "body.scenario", Detail: "it needs the daemon's own mock"}
		case a.aal != 3:
			return mismatch("body.acr", "allowed for the scenario: those of AAL3")
		}
	}
	p, is := plots[a.Scenario]
	if !is {
		return nil
	}
	switch {
	case a.Target != cis2.Mock:
		return &failure.Error{Code: failure.LoginScenario, Field: "body.target", Detail: "allowed for a scenario of refusal: mock"}
	case p.mock && r.config.Mock == nil:
		return &failure.Error{Code: failure.LoginScenario, Field: "body.scenario", Detail: "it needs the daemon's own mock"}
	case p.virtual && r.config.Virtual == nil:
		return &failure.Error{Code: failure.LoginScenario, Field: "body.scenario", Detail: "it needs virtual authenticators"}
	case p.kind != "" && a.Kind != "" && a.Kind != p.kind:
		return mismatch("body.kind", "allowed for the scenario: "+string(p.kind))
	case p.virtual && (a.Authenticator != "" || a.User != ""):
		return mismatch("body.authenticator", "the scenario brings its own authenticator and user")
	case a.aal < p.aal:
		return mismatch("body.acr", "allowed for the scenario: those of AAL3")
	}
	if p.kind != "" {
		a.Kind = p.kind
	}
	if len(a.kinds()) == 0 {
		return a.unreachable()
	}
	return nil
}

// tryIt plays a negative scenario, with the authenticator that it takes or brings.
func (o *run) tryIt(ctx context.Context) error {
	p := plots[o.asked.Scenario]
	play := func(ctx context.Context) error { return p.play(o, ctx) }
	switch {
	case p.unleased:
		return play(ctx)
	case p.virtual:
		return o.withDevice(ctx, play)
	}
	return o.withLease(ctx, play)
}

// withLease plays with an authenticator that is well.
func (o *run) withLease(ctx context.Context, play func(context.Context) error) error {
	for _, first := range []func(context.Context) error{o.preflight, o.meet, o.take} {
		if err := first(ctx); err != nil {
			return err
		}
	}
	ctx, cancel := o.timed(ctx)
	defer cancel()
	return play(ctx)
}

// refused is what something was refused with; an empty code: it was not.
type refused struct{ code, why string }

// refuses records whether the one who must refuse did so, and for the right
// reason. An error of try is what kept it from being tried.
func (o *run) refuses(ctx context.Context, who contract.Refuser, what string, codes []string, try func(context.Context, *contract.LoginStep) (refused, error)) error {
	return o.step(ctx, "refused-by-"+string(who)+"-"+what, "refused by the "+string(who)+": "+strings.Join(codes, " or "), func(ctx context.Context, s *contract.LoginStep) error {
		got, err := try(ctx, s)
		switch {
		case err != nil:
			return err
		case got.code == "":
			s.Got = "not refused"
			return &failure.Error{Code: failure.LoginNotRefused, Detail: got.why}
		}
		s.Got = "refused: " + printable(join(got.code, got.why))
		if !slices.Contains(codes, got.code) {
			return &failure.Error{Code: failure.LoginNotRefused, Detail: "it was refused for another reason than the one tried"}
		}
		return nil
	})
}
