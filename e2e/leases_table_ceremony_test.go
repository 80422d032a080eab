//go:build linux && cgo

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	apiclient "authbridge/agent/client"
	"authbridge/agent/contract"
	"authbridge/pcsc/vcard"
)

// held is a lease that was taken.
type held struct {
	contract.NewLease
	stream *apiclient.HeldLease // nil: it lasts for its time
}

// take has the authenticator lent to the user.
func (x *trial) take(request contract.LeaseRequest) held {
	x.t.Helper()
	x.leases++
	request.Authenticator, request.Target = x.id, "mock"
	if request.Purpose == "" {
		request.Purpose = fmt.Sprint("lease ", x.leases)
	}
	if request.TTL == "" {
		request.TTL = "10m"
	}
	if request.Wait == "" {
		request.Wait = patience.String() // until it is read
	}
	if request.Hold != contract.HoldConnection {
		l, err := x.client.TakeLease(x.t.Context(), request)
		must(x.t, err)
		return held{NewLease: *l}
	}
	// A client of its own, whose going is that of its connection.
	stream, err := x.p.client().HoldLease(context.WithoutCancel(x.t.Context()), request, nil)
	must(x.t, err)
	x.t.Cleanup(stream.Close)
	return held{stream.NewLease, stream}
}

// lease is how one is now.
func (x *trial) lease(id string) contract.Lease {
	x.t.Helper()
	l, err := x.client.Lease(x.t.Context(), id)
	must(x.t, err)
	return l
}

// awaitEnd waits until a lease has ended.
func (x *trial) awaitEnd(id string) (l contract.Lease) {
	x.t.Helper()
	x.await("the end of the lease", func() bool {
		l = x.lease(id)
		return l.State == contract.LeaseEnded
	})
	return l
}

// plain is a ceremony that asks nobody for a PIN.
func (x *trial) plain(leased string) contract.CeremonyRequest {
	return withPIN(x.serious(leased), "", vcard.DefaultPIN)
}

// serious is a ceremony that needs a PIN, and leaves something behind that the
// end of the lease undoes: a verified PIN, or a credential.
func (x *trial) serious(leased string) contract.CeremonyRequest {
	if x.kind == contract.Smartcard {
		return signature(leased, "9A", mark(0))
	}
	request := creation(leased)
	request.Options = json.RawMessage(`{"rp":{"id":"localhost","name":"Mock"},"user":{"id":"dXNlcg","name":"ann","displayName":"Ann"},
		"challenge":"AAECAwQFBgcICQoLDA0ODw","pubKeyCredParams":[{"type":"public-key","alg":-7}],
		"authenticatorSelection":{"residentKey":"required","userVerification":"required"}}`)
	return request
}

// asking has a person asked for the PIN.
func asking(request contract.CeremonyRequest) contract.CeremonyRequest {
	request.PIN, request.Timeout = &contract.PINSource{Ask: true}, "5m"
	return request
}

// leaves carries a ceremony out that leaves something behind.
func (x *trial) leaves(l contract.Lease) {
	x.t.Helper()
	done := x.finish(x.begin(x.client, x.plain(l.ID), true))
	if done.State != contract.CeremonyDone {
		x.t.Fatalf("the ceremony is %s: %+v", done.State, done.Problem)
	}
}

// under is a ceremony under way.
type under struct {
	id     string
	brings bool // its PIN
	leave  context.CancelFunc
	ended  chan struct{} // the call, if it waits for the answer
	err    error         // of the call
}

// begin begins a ceremony, by a call that waits for the answer or by one that
// does not.
func (x *trial) begin(by *apiclient.Client, request contract.CeremonyRequest, waits bool) *under {
	x.t.Helper()
	u := &under{brings: request.PIN != nil && !request.PIN.Ask, ended: make(chan struct{})}
	var before []string
	all, err := x.client.Ceremonies(x.t.Context())
	must(x.t, err)
	for _, c := range all {
		before = append(before, c.ID)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(x.t.Context()))
	u.leave = cancel
	x.t.Cleanup(cancel)
	if request.Wait = waits; !waits {
		c, err := by.Begin(ctx, request)
		must(x.t, err)
		u.id = c.ID
		return u
	}
	go func() {
		defer close(u.ended)
		_, u.err = by.Begin(ctx, request)
	}()
	x.await("the ceremony", func() bool {
		select {
		case <-u.ended:
			must(x.t, u.err)
		default:
		}
		all, err := x.client.Ceremonies(x.t.Context())
		must(x.t, err)
		for _, c := range all {
			if !slices.Contains(before, c.ID) {
				u.id = c.ID
			}
		}
		return u.id != ""
	})
	return u
}

// ceremony is how one is now, as the owner of its lease sees it.
func (x *trial) ceremony(u *under) contract.Ceremony {
	x.t.Helper()
	c, err := x.client.Ceremony(x.t.Context(), u.id, 0)
	must(x.t, err)
	return c
}

// awaitState waits until a ceremony is in a state.
func (x *trial) awaitState(u *under, state contract.CeremonyState) (c contract.Ceremony) {
	x.t.Helper()
	x.await("the ceremony to be in the state "+string(state), func() bool {
		c = x.ceremony(u)
		if c.State.Over() && c.State != state {
			x.t.Fatalf("the ceremony is %s: %+v", c.State, c.Problem)
		}
		return c.State == state
	})
	return c
}

// awaitOver waits until a ceremony is over.
func (x *trial) awaitOver(u *under) (c contract.Ceremony) {
	x.t.Helper()
	x.await("the end of the ceremony", func() bool {
		c = x.ceremony(u)
		return c.State.Over()
	})
	return c
}

// finish brings a ceremony to its end, as a person does who is there.
func (x *trial) finish(u *under) (c contract.Ceremony) {
	x.t.Helper()
	seen := 0 // of its steps
	x.await("the end of the ceremony", func() bool {
		c = x.ceremony(u)
		if len(c.Steps) == seen {
			return false
		}
		switch seen = len(c.Steps); c.State {
		case contract.CeremonyPIN:
			x.answer(u)
		case contract.CeremonyTouch:
			must(x.t, x.client.TouchKey(x.t.Context(), x.key))
		default:
		}
		return c.State.Over()
	})
	if u.brings && c.State == contract.CeremonyDone {
		x.sent++
	}
	return c
}

// answer gives the PIN that is asked for.
func (x *trial) answer(u *under) {
	x.t.Helper()
	must(x.t, x.client.AnswerPIN(x.t.Context(), u.id, []byte(vcard.DefaultPIN)))
	x.sent++
}

// reach brings a ceremony into the state of the row. Before that, as far as the
// row allows, another one has left something behind.
func (x *trial) reach(by *apiclient.Client, l contract.Lease, waits bool) *under {
	x.t.Helper()
	switch state := contract.CeremonyState(x.at.state); state {
	case contract.CeremonyInsert:
		x.takeAway()
		x.await("the removal to be seen", func() bool { return !x.there() })
		u := x.begin(by, x.plain(l.ID), waits)
		x.awaitState(u, state)
		return u
	case contract.CeremonyPIN:
		u := x.begin(by, asking(x.serious(l.ID)), waits)
		x.awaitState(u, state)
		return u
	case contract.CeremonyTouch:
		x.leaves(l)
		u := x.begin(by, x.plain(l.ID), waits)
		x.awaitState(u, state)
		return u
	case contract.CeremonyRunning:
		x.leaves(l)
		if x.kind == contract.Smartcard {
			return x.reachCard(by, l, waits)
		}
		return x.reachKey(by, l, waits)
	}
	x.t.Fatalf("no ceremony is in the state %s", x.at.state)
	return nil
}

// reachCard has a card that works on a command, which is not that with the PIN:
// it was verified before.
func (x *trial) reachCard(by *apiclient.Client, l contract.Lease, waits bool) *under {
	x.t.Helper()
	must(x.t, x.card.SetFaults(vcard.Fault{Name: vcard.FaultMute}))
	before := x.card.APDUs()
	u := x.begin(by, x.serious(l.ID), waits)
	x.await("an APDU", func() bool { return x.card.APDUs() > before })
	x.awaitState(u, contract.CeremonyRunning)
	return u
}

// reachKey has a key that makes a credential, after the PIN.
func (x *trial) reachKey(by *apiclient.Client, l contract.Lease, waits bool) *under {
	x.t.Helper()
	slow := func(delay time.Duration) {
		_, err := x.client.SetKeyFaults(x.t.Context(), x.key, contract.Fault{Name: "slow", Delay: delay.String()})
		must(x.t, err)
	}
	u := x.begin(by, asking(x.serious(l.ID)), waits)
	x.awaitState(u, contract.CeremonyPIN)
	before := x.device()
	got := func(n uint64) func() bool {
		return func() bool { return x.device().Messages >= before.Messages+n }
	}
	slow(500 * time.Millisecond)
	x.answer(u)
	// CTAPHID_INIT, authenticatorGetInfo, getPINRetries, getKeyAgreement, the PIN.
	x.await("the PIN to be sent", got(5))
	slow(5 * time.Second) // from the next message on
	x.await("the credential to be asked for", got(6))
	if now := x.device(); now.Messages != before.Messages+6 || now.PINTries != before.PINTries+1 {
		x.t.Fatalf("the key is at another message: %+v, before %+v", now, before)
	}
	_, err := x.client.SetKeyFaults(x.t.Context(), x.key) // and none after it
	must(x.t, err)
	x.awaitState(u, contract.CeremonyRunning)
	return u
}
