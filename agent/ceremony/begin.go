package ceremony

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"slices"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/lease"
	"authbridge/fido/webauthn"
)

// How long a ceremony may take, people included.
const (
	shortest = time.Second
	usual    = time.Minute
	longest  = 10 * time.Minute
)

// Begin begins a ceremony under a lease. All that can be refused without the
// authenticator is refused before there is one. The PIN in the request is the
// conductor's from now on, which wipes it.
func (c *Conductor) Begin(ctx context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error) {
	begun, err := c.begin(ctx, by, request)
	if err != nil {
		wipe(request.PIN)
	}
	return begun, err
}

func (c *Conductor) begin(ctx context.Context, by lease.Caller, request contract.CeremonyRequest) (contract.Ceremony, error) {
	s, err := c.station(by, &request)
	if err != nil {
		return contract.Ceremony{}, err
	}
	a := &act{c: c, id: newID(), station: s, owner: s.grant.Owner, by: by.Owner, asker: asker(by, s.grant.Owner), grant: s.grant, request: request, done: make(chan struct{})}
	if err := a.check(by, s.live()); err != nil {
		return contract.Ceremony{}, err
	}
	now := c.now()
	a.state = contract.Ceremony{
		ID: a.id, Lease: s.grant.Lease, Authenticator: s.grant.Authenticator.ID, Name: s.grant.Authenticator.Name,
		Origin: s.grant.Authenticator.Origin, Target: s.grant.Target, Type: request.Type,
		State: contract.CeremonyQueued, StartedAt: now, Deadline: now.Add(a.timeout),
		Steps: []contract.CeremonyStep{{State: contract.CeremonyQueued, At: now}},
	}
	if err := s.reserve(a); err != nil {
		return contract.Ceremony{}, err
	}
	begun := a.snapshot()
	if err := c.store.PutCeremony(ctx, begun); err != nil {
		s.acts <- nil // the station is free again
		return contract.Ceremony{}, err
	}
	// From here on the station ends it, whatever happens.
	timed, stop := context.WithTimeoutCause(s.ctx, a.timeout, errTime{})
	var cancel context.CancelCauseFunc
	a.ctx, cancel = context.WithCancelCause(timed)
	a.cancel = func(cause error) {
		cancel(cause)
		stop()
	}
	c.keep(a)
	if a.before != nil {
		<-a.before // which is over, and about to be told
	}
	a.tell(begun)
	s.acts <- a // it has room: the station is reserved
	return begun, nil
}

// reserve makes an act the one that the station is busy with. It, or nil, must
// be sent to the station.
func (s *station) reserve(a *act) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	switch {
	case s.closing || s.c.over || s.ctx.Err() != nil:
		return leaseOver()
	case s.busy != nil:
		return &failure.Error{Code: failure.CeremonyBusy, Detail: s.busy.id}
	}
	s.busy, a.before = a, s.last
	return nil
}

// station finds the station of a request's lease, which the caller may use.
func (c *Conductor) station(by lease.Caller, request *contract.CeremonyRequest) (*station, error) {
	c.mu.Lock()
	s := c.stations[request.Lease]
	closing := s != nil && s.closing
	c.mu.Unlock()
	switch {
	case s == nil:
		return nil, &failure.Error{Code: failure.LeaseUnknown, Field: "body.lease", Detail: "no lease of that id is active"}
	case !by.Owns(s.grant.Owner):
		return nil, &failure.Error{Code: failure.LeaseNotYours, Field: "body.lease", Detail: "it is held by " + s.grant.Owner.Name}
	case request.Fence != s.grant.Fence:
		return nil, &failure.Error{Code: failure.LeaseFenced, Field: "body.fence", Detail: "it is not that of the lease"}
	case closing:
		return nil, leaseOver()
	}
	return s, nil
}

func leaseOver() error {
	return &failure.Error{Code: failure.LeaseOver, Field: "body.lease", Detail: "the lease has ended"}
}

// check is what can be said of a request without its authenticator.
func (a *act) check(by lease.Caller, live bool) error {
	if err := a.checkKind(); err != nil {
		return err
	}
	if err := checkPIN(a.request.PIN, a.grant.Authenticator.Kind, live); err != nil {
		return err
	}
	if a.request.Override && !slices.Contains(by.Rights, contract.RightPhysical) {
		return &failure.Error{Code: failure.PhysicalRight, Field: "body.override", Detail: "the override needs the right physical"}
	}
	a.timeout = usual
	if text := a.request.Timeout; text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d < shortest || d > longest {
			return bad("body.timeout", "allowed: a Go duration from 1s to 10m")
		}
		a.timeout = d
	}
	return a.parse()
}

func (a *act) checkKind() error {
	kind := contract.SecurityKey
	switch a.request.Type {
	case contract.CeremonyCreate, contract.CeremonyGet:
	case contract.CeremonySign:
		kind = contract.Smartcard
	default:
		return bad("body.type", "allowed: create, get, sign")
	}
	if kind != a.grant.Authenticator.Kind {
		return &failure.Error{
			Code: failure.CeremonyKind, Field: "body.type",
			Detail: a.grant.Authenticator.Name + " is a " + string(a.grant.Authenticator.Kind),
		}
	}
	return nil
}

func checkPIN(pin *contract.PINSource, kind contract.Kind, live bool) error {
	switch {
	case pin == nil:
		return nil
	case pin.Ask && (len(pin.Value) > 0 || pin.Secret != ""):
		return bad("body.pin", "allowed: value, or ask")
	case pin.Ask:
		return nil
	case len(pin.Value) == 0:
		return bad("body.pin", "it has neither value nor ask")
	case live:
		return &failure.Error{Code: failure.PINPersonOnly, Field: "body.pin.value", Detail: "the card's issuer is live"}
	}
	if err := pinForm(kind, pin.Value); err != nil {
		return &failure.Error{Code: failure.PINFormat, Field: "body.pin.value", Detail: "its length or characters are wrong"}
	}
	return nil
}

// parse reads the WebAuthn options.
func (a *act) parse() (err error) {
	page := webauthn.Page{Origin: a.request.Origin, Top: a.request.TopOrigin, Target: a.grant.Target}
	parties := a.c.config.Policy.Parties
	switch a.request.Type {
	case contract.CeremonyCreate:
		a.creation, err = webauthn.ParseCreation(a.request.Options, page, parties)
	case contract.CeremonyGet:
		a.get, err = webauthn.ParseRequest(a.request.Options, page, parties)
	case contract.CeremonySign:
		return nil
	}
	if err != nil {
		return webauthnFailure(err)
	}
	return nil
}

// Answer gives the PIN that a ceremony waits for, and wipes it.
func (c *Conductor) Answer(_ context.Context, by lease.Caller, id string, pin []byte) error {
	defer clear(pin)
	a := c.find(id)
	switch {
	case a == nil:
		return unknownCeremony()
	case !by.Owns(a.owner):
		return &failure.Error{Code: failure.LeaseNotYours, Field: "path.id", Detail: "the ceremony is not yours"}
	}
	if err := pinForm(a.grant.Authenticator.Kind, pin); err != nil {
		return &failure.Error{Code: failure.PINFormat, Field: "body.pin", Detail: "its length or characters are wrong"}
	}
	return a.take(answer{slices.Clone(pin), answerSource(by.Owner, a.owner)})
}

// Blocks lists the sources of PINs that are blocked.
func (c *Conductor) Blocks() []contract.PINBlock { return c.pins.blocks() }

// Unblock clears the blocks of an authenticator, at a person's word.
func (c *Conductor) Unblock(ctx context.Context, authenticator string) error {
	return c.pins.unblock(ctx, authenticator)
}

func newID() string {
	var octets [8]byte
	_, _ = rand.Read(octets[:]) // never fails (crypto/rand)
	return "ceremony-" + hex.EncodeToString(octets[:])
}

func bad(field, detail string) error {
	return &failure.Error{Code: failure.BadRequest, Field: field, Detail: detail}
}
