package login

import (
	"context"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// Each scenario with a failing authenticator brings its own, of a user who has
// no other card: nobody else's login ever gets one that is about to fail. It is
// not ready either, because it is of a retired series, its certificate has
// expired or its PIN is not set, so that no lease that asks for a level is given
// it.
var scenarioUsers = map[contract.LoginScenario]string{
	contract.ScenarioCardPulled:         "555299990001",
	contract.ScenarioPINBlocked:         "555299990002",
	contract.ScenarioExpiredCertificate: "555299990003",
}

// The faults of virtual authenticators that are used here (contract.Fault).
const (
	faultExpired = "cert-expired"
	faultRetired = "retired-atr"
	faultBlocked = "pin-blocked"
	faultPulled  = "pulled"
	faultNoPIN   = "no-pin"
)

const (
	// shortCeremony is for one that must fail by its time.
	shortCeremony = 2 * time.Second
	// settleTime is how long a new virtual authenticator may take to be seen.
	settleTime = 30 * time.Second
)

// borrow makes the scenario's authenticator, has it seen and leases it by its
// id. What it returns takes it away again.
func (o *run) borrow(ctx context.Context) (giveBack func(), err error) {
	name := deviceOf(o.asked.Scenario)
	leave, err := o.r.turns.take(ctx, name)
	if err != nil {
		return func() {}, o.why(ctx)
	}
	giveBack = func() {
		o.release()
		o.r.putAway(o.asked.Kind, name)
		leave()
	}
	err = o.step(ctx, "device", "a virtual authenticator for the scenario", func(ctx context.Context, s *contract.LoginStep) error {
		ctx, cancel := context.WithTimeout(ctx, settleTime)
		defer cancel()
		s.Got = name
		if err := o.bringOut(ctx, name); err != nil {
			return err
		}
		id, err := o.seen(ctx, name)
		o.asked.Authenticator = id
		return err
	})
	if err == nil {
		err = o.takeFor(ctx, contract.Requirement{Authenticator: o.asked.Authenticator, Target: cis2.Mock, Origin: contract.Virtual})
	}
	return giveBack, err
}

func (o *run) bringOut(ctx context.Context, name string) error {
	var err error
	if o.asked.Kind == contract.Smartcard {
		fault := faultRetired
		if o.asked.Scenario == contract.ScenarioExpiredCertificate {
			fault = faultExpired
		}
		_, err = o.r.config.Virtual.Insert(ctx, contract.VirtualInsert{
			Name: name, User: scenarioUsers[o.asked.Scenario], Faults: []contract.Fault{{Name: fault}},
		})
	} else {
		_, err = o.r.config.Virtual.Plug(ctx, contract.VirtualPlug{Name: name, Touch: "never", Faults: []contract.Fault{{Name: faultNoPIN}}})
	}
	return err
}

// deviceOf is the name of the device that a scenario brings.
func deviceOf(s contract.LoginScenario) string { return "login-" + string(s) }

// clearStages discards what a daemon left that was killed in a scenario: its PIN
// may have been on the way, and a try lost. Until then nobody plays that scenario.
func (r *Runner) clearStages() {
	if r.config.Virtual == nil {
		return
	}
	for _, d := range r.config.Virtual.List() {
		for s, p := range plots {
			if !p.virtual || d.Name != deviceOf(s) || d.Kind != p.kind {
				continue
			}
			leave, err := r.turns.take(r.ctx, d.Name)
			if err != nil {
				return
			}
			r.work.Go(func() {
				defer leave()
				r.away(d.Name, func(ctx context.Context) error { return r.config.Virtual.Discard(ctx, d.Kind, d.Name) })
			})
		}
	}
}

// putAway takes a device out.
func (r *Runner) putAway(kind contract.Kind, name string) {
	take := r.config.Virtual.Remove
	if kind == contract.SecurityKey {
		take = r.config.Virtual.Unplug
	}
	r.away(name, func(ctx context.Context) error {
		_, err := take(ctx, name)
		return err
	})
}

// away has a device taken away; one that is not there is.
func (r *Runner) away(name string, take func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.ctx), releaseTime)
	defer cancel()
	if err := take(ctx); err != nil && failure.CodeOf(err) != failure.VirtualState && failure.CodeOf(err) != failure.NotFound {
		r.config.Log.WithField("device", name).WithError(err).Warn("the authenticator of a scenario is not taken away")
	}
}

// seen waits until the device is in the inventory, and read.
func (o *run) seen(ctx context.Context, name string) (id string, err error) {
	for {
		changed := o.r.config.Inventory.Changed()
		for _, v := range o.r.config.Virtual.List() {
			if v.Name != name || v.Kind != o.asked.Kind || v.Authenticator == "" {
				continue
			}
			if a := find(o.r.config.Inventory.Snapshot(), v.Authenticator); a != nil && a.Condition == contract.Ready {
				return a.ID, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return "", &failure.Error{Code: failure.LoginScenario, Detail: "the virtual authenticator is not seen"}
		}
	}
}

// atPage brings the page to where the scenario's user signs in.
func (o *run) atPage(ctx context.Context) (*page, *request, error) {
	r := o.newRequest(promptLogin)
	p, err := o.begin(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	user, err := o.user()
	if err == nil {
		p, err = o.choose(ctx, "choose", p, user, o.held.authenticator.Kind)
	}
	return p, r, err
}

// withDevice plays a scenario with its own authenticator.
func (o *run) withDevice(ctx context.Context, play func(context.Context) error) error {
	if err := o.meet(ctx); err != nil {
		return err
	}
	giveBack, err := o.borrow(ctx)
	defer giveBack()
	if err != nil {
		return err
	}
	ctx, cancel := o.timed(ctx)
	defer cancel()
	return play(ctx)
}
