package login

import (
	"context"
	"slices"
	"strings"
	"time"

	"authbridge/agent/cis2"
	"authbridge/agent/contract"
	"authbridge/agent/failure"
)

// leaseMargin is how much longer than its run a lease is taken for: to be
// released, not to expire.
const leaseMargin = 30 * time.Second

// releaseTime bounds leaving an authenticator; the ceremonies bound it too.
const releaseTime = 45 * time.Second

// held is a lease of the run.
type held struct {
	id            string
	fence         uint64
	authenticator contract.Authenticator
}

// preflight is whether an authenticator here can do the login, before anything
// is begun. It settles the kind where what was asked for leaves no choice.
func (o *run) preflight(ctx context.Context) error {
	return o.step(ctx, "preflight", "an authenticator that is ready for "+o.asked.ACR+" at "+o.asked.Target, func(_ context.Context, s *contract.LoginStep) error {
		kinds := o.asked.kinds()
		if len(kinds) == 0 {
			return &failure.Error{Code: failure.LoginMismatch, Detail: "runs drive smartcards and security keys, and none that was asked for satisfies " + o.asked.ACR}
		}
		snapshot := o.r.config.Inventory.Snapshot()
		if id := o.asked.Authenticator; id != "" {
			known := find(snapshot, id)
			switch {
			case known == nil:
				return &failure.Error{Code: failure.LoginNotReady, Detail: "no authenticator with that id is here"}
			case !slices.Contains(kinds, known.Kind):
				return &failure.Error{Code: failure.LoginNotReady, Detail: "it is a " + string(known.Kind) + ", which does not reach what is asked for"}
			}
			kinds = []contract.Kind{known.Kind}
			o.asked.Kind = known.Kind
		}
		best := contract.Verdict{}
		for i, kind := range kinds {
			v := o.r.config.Judge(contract.Question{AAL: max(o.asked.aal, 2), Target: o.asked.Target, Kind: kind, User: o.asked.User}, snapshot)
			v.Outcome = outcomeOf(&v, o.asked.Authenticator)
			if i == 0 || rank(v.Outcome) < rank(best.Outcome) {
				best, best.Kind = v, kind
			}
		}
		s.Got, s.Evidence = string(best.Outcome), printable(best.Summary)
		o.again = o.refusedLast(find(snapshot, o.asked.Authenticator), &best)
		if best.Outcome == contract.VerdictNotReady && !o.again {
			return &failure.Error{Code: failure.LoginNotReady}
		}
		if o.asked.User != "" || len(kinds) == 1 {
			o.asked.Kind = best.Kind
		}
		return nil
	})
}

// outcomeOf is a verdict's, or that of one candidate.
func outcomeOf(v *contract.Verdict, authenticator string) contract.Outcome {
	if authenticator == "" {
		return v.Outcome
	}
	for i := range v.Candidates {
		if v.Candidates[i].Authenticator == authenticator {
			return v.Candidates[i].Outcome
		}
	}
	return contract.VerdictNotReady
}

// refusedLast is whether an authenticator that was asked for by its id is not
// ready only because the last login with it was refused. Another one is what
// settles that, so it is tried.
func (o *run) refusedLast(a *contract.Authenticator, v *contract.Verdict) bool {
	if a == nil || v.Outcome != contract.VerdictNotReady {
		return false
	}
	checks := slices.Clone(v.Checks)
	for _, c := range v.Candidates {
		if c.Authenticator == a.ID {
			checks = append(checks, c.Checks...)
		}
	}
	for _, c := range checks {
		switch {
		case c.State != contract.Fail || c.Code == string(failure.KeyRegistered):
		case c.Code == string(failure.AuthenticatorUser) && slices.ContainsFunc(a.Users, func(b contract.Binding) bool {
			return b.Target == o.asked.Target && b.User == o.asked.User && b.Login == contract.Refused
		}):
		default:
			return false
		}
	}
	return true
}

func rank(o contract.Outcome) int {
	return slices.Index([]contract.Outcome{contract.VerdictReady, contract.VerdictUnproven, contract.VerdictNotReady}, o)
}

func find(s *contract.Snapshot, id string) *contract.Authenticator {
	if s == nil {
		return nil
	}
	for i := range s.Authenticators {
		if s.Authenticators[i].ID == id {
			return &s.Authenticators[i]
		}
	}
	return nil
}

// take takes a lease of what the request asks for.
func (o *run) take(ctx context.Context) error {
	want := contract.Requirement{
		Authenticator: o.asked.Authenticator, AAL: max(o.asked.aal, 2), Target: o.asked.Target, Kind: o.asked.Kind,
		User: o.asked.User, Origin: o.asked.Origin,
	}
	if o.again {
		want.AAL, want.User = 0, ""
	}
	return o.takeFor(ctx, want)
}

func (o *run) takeFor(ctx context.Context, want contract.Requirement) error {
	return o.step(ctx, "lease", "exclusive use of an authenticator", func(ctx context.Context, s *contract.LoginStep) error {
		purpose := o.asked.Purpose
		if purpose == "" {
			purpose = o.id
		}
		lease, err := o.r.config.Leases.Take(ctx, o.by, contract.LeaseRequest{
			Requirement: want, TTL: (o.asked.timeout + leaseMargin).String(), Wait: o.asked.queue.String(), Purpose: purpose,
			Hold: contract.HoldConnection, // the run is what holds it, and ends with the daemon
		}, nil)
		if err != nil {
			return err
		}
		o.held = &held{id: lease.ID, fence: lease.Fence, authenticator: contract.Authenticator{ID: lease.Authenticator, Name: lease.Name, Kind: lease.Kind, Origin: lease.Origin}}
		if known := find(o.r.config.Inventory.Snapshot(), lease.Authenticator); known != nil {
			o.held.authenticator = *known
		}
		a := &o.held.authenticator
		o.names = append(strings.FieldsFunc(a.Holder, func(r rune) bool { return r == ' ' || r == '_' || r == ',' }), a.Holder)
		o.change(func(l *contract.Login) {
			l.State, l.Lease, l.GrantedAt = contract.LoginRunning, lease.ID, o.r.now()
			l.Authenticator, l.Name, l.Kind, l.Origin = a.ID, a.Name, a.Kind, a.Origin
			if l.User == "" {
				l.User = o.whoWith(a)
			}
		})
		s.Got = a.Name + " (" + string(a.Origin) + " " + string(a.Kind) + "), " + lease.ID
		return nil
	})
}

// whoWith is who signs in with an authenticator where nobody was named.
func (o *run) whoWith(a *contract.Authenticator) string {
	user := a.UserAt(o.asked.Target)
	if user == "" && a.Kind != contract.Smartcard {
		user = o.asked.target.User
	}
	return user
}

// user is who signs in. A card's own is made known to the daemon's mock, which
// has no authenticators and so knows of no virtual card.
func (o *run) user() (string, error) {
	user := o.snapshot().User
	if user == "" {
		return "", &failure.Error{Code: failure.BadRequest, Field: "body.user", Detail: "with a key it must be said who signs in at " + o.asked.Target}
	}
	if o.r.config.Mock != nil && o.asked.Target == cis2.Mock && o.held != nil && user == o.held.authenticator.User {
		if err := o.r.config.Mock.Know(user); err != nil {
			return "", err
		}
	}
	return user, nil
}

// letGo begins to give the lease back, beside what follows that needs no
// authenticator. It is no business of the run's context, which may have ended.
func (o *run) letGo() {
	if o.held == nil {
		return
	}
	id, left := o.held.id, make(chan contract.LoginStep, 1)
	o.held, o.leaving = nil, left
	go func() { left <- o.giveBack(id) }()
}

// release returns once the lease is given back and the authenticator is left.
func (o *run) release() {
	o.letGo()
	if o.leaving != nil {
		o.record(<-o.leaving)
		o.leaving = nil
	}
}

func (o *run) giveBack(id string) contract.LoginStep {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(o.ctx), releaseTime)
	defer cancel()
	s := contract.LoginStep{Name: "release", Expected: "the authenticator left as it was found", State: contract.StepPass, At: o.r.now()}
	lease, err := o.r.config.Leases.Release(ctx, o.by, id)
	s.TookMS = float64(o.r.now().Sub(s.At).Microseconds()) / 1000
	switch code := failure.CodeOf(err); {
	case code == failure.LeaseOver || code == failure.LeaseUnknown:
		s.Got = "the lease had ended already"
	case err != nil:
		fail(&s, err)
	default:
		s.Got = "released"
		s.Evidence = join(lease.Remarks...)
	}
	return s
}

// timed bounds what follows the lease.
func (o *run) timed(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, o.asked.timeout, errTime{})
}
