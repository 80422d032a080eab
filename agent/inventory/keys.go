package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"authbridge/agent/contract"
	"authbridge/agent/failure"
	"authbridge/agent/health"
	"authbridge/fido"
)

// KeysConfig is what a source of security keys needs.
type KeysConfig struct {
	// Name is the source's: fido, or virtual-fido.
	Name string
	Bus  fido.Bus
	// Virtual makes every key of the bus virtual, whatever the bus says: the
	// daemon's own virtual keys are on one.
	Virtual bool
	// Windows says that a key which may not be opened needs an administrator.
	Windows bool
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Keys is the source of security keys: it puts what the monitor of a bus
// reports into the inventory's words. It asks nothing of any key itself.
type Keys struct {
	config  KeysConfig
	monitor *fido.Monitor

	mu     sync.Mutex            // guards what follows
	paths  map[string]string     // Node.Path by id
	claims map[string]*keyClaims // by id
}

// NewKeys makes a source of the keys of one bus.
func NewKeys(config KeysConfig) *Keys {
	if config.Now == nil {
		config.Now = time.Now
	}
	return &Keys{config: config, monitor: fido.NewMonitor(config.Bus), paths: make(map[string]string), claims: make(map[string]*keyClaims)}
}

// Name is the source's name.
func (k *Keys) Name() string { return k.config.Name }

// Run watches the bus; see [Source].
func (k *Keys) Run(ctx context.Context, publish func(Observation)) error {
	ids := make(map[string]string) // by Node.Path, of the keys that are plugged
	err := k.monitor.Run(ctx, func(r fido.Report) {
		o := k.observe(r, ids)
		k.know(ids)
		publish(o)
	})
	k.know(nil)
	if err != nil {
		return &sourceError{failure.FIDOUnavailable, err}
	}
	return nil
}

// Reread asks for a fresh read; see [Rereader].
func (k *Keys) Reread(id string) bool {
	_, ok := k.Ask(id)
	return ok
}

// Ask asks for a fresh read; see [Asker].
func (k *Keys) Ask(id string) (wish uint64, ok bool) {
	path, ok := k.path(id)
	if !ok {
		return 0, false
	}
	return k.monitor.Ask(path)
}

// Has is whether a key with that id is plugged in.
func (k *Keys) Has(id string) bool {
	_, ok := k.path(id)
	return ok
}

// observe puts a report into the inventory's words. ids are brought up to
// date, event by event: one path can be two keys in one report.
func (k *Keys) observe(r fido.Report, ids map[string]string) Observation {
	o := Observation{Source: k.source(r)}
	for _, e := range r.Events {
		switch e.Kind {
		case fido.Plugged:
			a := k.authenticator(e.Key, k.identify(e.Key.Node, ids))
			o.Events = append(o.Events, contract.Event{Type: contract.KeyPlugged, At: e.At, Subject: a.ID, Authenticator: &a})
		case fido.Unplugged:
			id := k.identify(e.Key.Node, ids)
			delete(ids, e.Key.Node.Path)
			name := friendlyName("key", id, k.origin(e.Key.Node))
			o.Events = append(o.Events, contract.Event{Type: contract.KeyUnplugged, At: e.At, Subject: id, Text: name + " unplugged"})
		case fido.Read: // the snapshots' difference tells
		}
	}
	for _, state := range r.Keys {
		key := health.Key{Authenticator: k.authenticator(state, k.identify(state.Node, ids))}
		if state.Answered > 0 {
			if o.Answered == nil {
				o.Answered = make(map[string]uint64)
			}
			o.Answered[key.ID] = state.Answered
		}
		if state.Info != nil {
			key.Info = &health.KeyInfo{
				FIDO2:          state.Info.FIDO2(),
				ClientPIN:      state.Info.Option("clientPin"),
				UV:             state.Info.Option("uv"),
				ForcePINChange: state.Info.ForcePINChange,
				CCID:           slices.Contains(state.Info.Transports, "smart-card"),
			}
		}
		o.Keys = append(o.Keys, key)
	}
	return o
}

func (k *Keys) source(r fido.Report) contract.Source {
	s := contract.Source{Name: k.config.Name, State: "starting", ObservedAt: k.config.Now()}
	switch {
	case r.Err != nil:
		s.State, s.Code, s.Detail = "down", string(failure.FIDOUnavailable), r.Err.Error()
		if k.config.Windows && errors.Is(r.Err, fido.ErrForbidden) {
			s.Code = string(failure.FIDONeedsAdmin)
		}
	case r.Settled:
		s.State = "up"
	}
	return s
}

// identify gives a key its id: the same again after a replug where it has a
// serial number, or comes back to its port. Among keys that are plugged at the
// same time and cannot be told apart by that, the path does it.
func (k *Keys) identify(n fido.Node, ids map[string]string) string {
	if id, ok := ids[n.Path]; ok {
		return id
	}
	model := fmt.Sprintf("%04x:%04x", n.VendorID, n.ProductID)
	id := ""
	for _, mark := range [][]string{{"serial", n.Serial}, {"port", n.Port}, {"path", n.Path}} {
		if mark[1] == "" {
			continue
		}
		id = opaqueID(keyID, k.config.Name, model, mark[0], mark[1])
		if !slices.Contains(slices.Collect(maps.Values(ids)), id) {
			break
		}
	}
	ids[n.Path] = id
	return id
}

func (k *Keys) origin(n fido.Node) contract.Origin {
	return originOf(k.config.Virtual || n.Virtual)
}

func (k *Keys) authenticator(s fido.KeyState, id string) contract.Authenticator {
	a := contract.Authenticator{
		ID:         id,
		Name:       friendlyName("key", id, k.origin(s.Node)),
		Kind:       contract.SecurityKey,
		Origin:     k.origin(s.Node),
		Source:     k.config.Name,
		Transport:  "hid",
		Condition:  contract.Condition(s.Condition), // the same words
		Code:       k.codeOf(s),
		Product:    s.Node.Product,
		PIN:        pinOfKey(s.Info, s.Retries),
		InsertedAt: s.PluggedAt,
		ReadAt:     s.ReadAt,
		ObservedAt: s.PluggedAt,
	}
	if s.TriedAt.After(a.ObservedAt) {
		a.ObservedAt = s.TriedAt
	}
	if s.Err != nil {
		a.Detail = detailOf(s.Err)
	}
	if s.Info != nil {
		a.AAGUID = s.Info.AAGUID.String()
		a.Versions = s.Info.Versions
	}
	return a
}

// codeOf is the failure code of a key's condition.
func (k *Keys) codeOf(s fido.KeyState) string {
	var frame *fido.FrameError
	switch {
	case s.Condition == fido.Mute:
		return string(failure.KeyMute)
	case s.Condition == fido.InUse:
		return string(failure.KeyBusy)
	case s.Condition == fido.Forbidden && k.config.Windows:
		return string(failure.FIDONeedsAdmin)
	case s.Condition == fido.Forbidden:
		return string(failure.KeyForbidden)
	case s.Condition != fido.Unreadable:
		return ""
	case errors.Is(s.Err, fido.ErrGone):
		return string(failure.KeyGone)
	case errors.As(s.Err, &frame):
		return string(failure.KeyHostile)
	}
	return string(failure.KeyUnreadable)
}

// pinOfKey is the state of the PIN by what getInfo and getPINRetries said.
func pinOfKey(info *fido.Info, retries *fido.Retries) contract.PIN {
	if info == nil || retries == nil {
		return contract.PIN{State: "unknown"}
	}
	pin := contract.PIN{State: "ok", TriesLeft: retries.PIN, UVTries: retries.UV}
	switch {
	case !info.Has("clientPin"):
		pin.State = "not_set"
	case retries.PIN == nil:
		pin.State = "unknown"
	case *retries.PIN == 0:
		pin.State = "blocked"
	case retries.PowerCycle:
		pin.State = "power_cycle"
	}
	return pin
}

// sourceError is a failure of a whole source, with its code.
type sourceError struct {
	code failure.Code
	err  error
}

func (e *sourceError) Error() string       { return e.err.Error() }
func (e *sourceError) Unwrap() error       { return e.err }
func (e *sourceError) FailureCode() string { return string(e.code) }
