//go:build linux && e2e

package kernel_test

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"authbridge/agent/contract"
	"authbridge/fido/vkey"
)

func TestTheDaemonTellsOfEachPlugOnceAfterUdev(t *testing.T) {
	group := keyRules(t)
	mute, forbidden, k := guestKey(t, "guest-mute", vkey.Mute), guestKey(t, forbiddenKey), guestKey(t, "guest-key")
	plugUHID(t, mute)
	plugUHID(t, forbidden)
	plugMouse(t)
	udevAtRest(t)
	b := startBridge(t, group)
	muted := b.await("the mute key", product(mute.Product(), contract.Mute))
	b.await("the forbidden key", product(forbidden.Product(), contract.Forbidden))
	b.wantsARemedy(mute.Product(), "KEY_MUTE")
	b.wantsARemedy(forbidden.Product(), "KEY_FORBIDDEN")

	b.askStatusAllTheTime()
	events, udev := b.follow(), listenToUdev(t)
	ours := "" // the key's id
	asked := 0 // rounds in which the key was told of only after it had been asked
	pluggedOrNot := func(e contract.Event) bool {
		if e.Type == contract.KeyPlugged && ours == "" {
			ours = e.Subject
		}
		return e.Type == contract.KeyPlugged || e.Type == contract.KeyUnplugged
	}
	for round := range 50 {
		// Something is asked of the mute key in each round. In every other one
		// ours is mute too: that it is there must be told without its answer.
		if err := b.Read(t.Context(), muted.ID); err != nil {
			t.Error(err)
		}
		answers := round%2 == 0
		if err := k.SetFaults(map[bool][]vkey.Fault{false: {{Name: vkey.Mute}}}[answers]...); err != nil {
			t.Fatal(err)
		}
		u := plugUHID(t, k)
		e := next(t, events, pluggedOrNot)
		if e.Type != contract.KeyPlugged || e.Subject != ours || e.Authenticator.Product != k.Product() {
			t.Fatalf("round %d: %s %s, %+v", round, e.Type, e.Subject, e.Authenticator)
		}
		if a := e.Authenticator; a.Condition != contract.Present || a.Origin != contract.Virtual {
			t.Errorf("round %d: told of as %s, %s", round, a.Condition, a.Origin)
		}
		node := nodeOf(k)
		if !udevKnows(t, node) {
			t.Errorf("round %d: told of %q before udev was done with it", round, node)
		}
		wantTold(t, udev, told{"add", node})
		if answers {
			e = next(t, events, func(e contract.Event) bool {
				return pluggedOrNot(e) || e.Subject == ours && e.Authenticator != nil && e.Authenticator.Condition != contract.Present
			})
			if e.Type != contract.AuthenticatorChanged || e.Authenticator.Condition != contract.Ready || *e.Authenticator.PIN.TriesLeft != 8 {
				t.Fatalf("round %d: %s, %+v", round, e.Text, e.Authenticator)
			}
		}
		if err := u.Unplug(); err != nil {
			t.Error(err)
		}
		gaveUp := false
		e = next(t, events, func(e contract.Event) bool {
			gaveUp = gaveUp || e.Subject == ours && e.Authenticator != nil && e.Authenticator.Condition == contract.Mute
			return pluggedOrNot(e)
		})
		if gaveUp {
			asked++
		}
		if e.Type != contract.KeyUnplugged || e.Subject != ours {
			t.Fatalf("round %d: %s", round, e.Text)
		}
		wantTold(t, udev, told{"remove", node})
	}
	// It is pulled out at once, long before it is given up as mute; a machine that
	// stands still may be late now and then.
	if asked > 5 {
		t.Errorf("in %d of 25 rounds that the key is there was told only after it had been asked", asked)
	}
	if n := k.Stats().PINTries + mute.Stats().PINTries + forbidden.Stats().Messages; n != 0 {
		t.Errorf("%d PIN tries, or messages to the key that may not be opened", n)
	}
	b.await("the mute key, still", product(mute.Product(), contract.Mute))
	late := time.Now().Add(patience)
	for open := b.nodesOpen(); len(open) > 0; open = b.nodesOpen() { // the mute key is given up after a while
		if time.Now().After(late) {
			t.Fatalf("the daemon has still open: %v", open)
		}
	}
}

// nodeOf is the hidraw node of a key that is plugged in.
func nodeOf(k *vkey.Key) string {
	node, _ := findNode(k.Serial())
	return node
}

// wantsARemedy asks for the status as a person does: a key that is no use must
// say so, with a code and what to do.
func (b *bridge) wantsARemedy(product, code string) {
	b.t.Helper()
	var s contract.Snapshot
	if exit := b.says(&s, "status"); exit != 0 {
		b.t.Errorf("status: exit code %d", exit)
	}
	i := slices.IndexFunc(s.Authenticators, func(a contract.Authenticator) bool { return a.Product == product })
	if i < 0 {
		b.t.Errorf("status knows no %q", product)
		return
	}
	a := s.Authenticators[i]
	c := slices.IndexFunc(a.Checks, func(c contract.Check) bool { return c.Code == code })
	if a.Code != code || a.Detail == "" || c < 0 || a.Checks[c].State != contract.Fail || a.Checks[c].Remedy == "" || a.Checks[c].Evidence == "" {
		b.t.Errorf("%s: want %s and its remedy, got %+v", product, code, a)
	}
}

func TestTheDaemonAndLibfido2ShareAKey(t *testing.T) {
	group := keyRules(t)
	k := guestKey(t, "guest-shared")
	plugUHID(t, k)
	udevAtRest(t)
	b := startBridge(t, group)
	a := b.await("the key", product(k.Product(), contract.Ready))
	b.askStatusAllTheTime()
	events := b.follow()
	node := nodeOf(k)
	tools := make(chan error, 1)
	go func() { tools <- infoRounds(t.Context(), node, 50) }()
	for round := range 50 {
		before := a.ReadAt
		if err := b.Read(t.Context(), a.ID); err != nil {
			t.Fatal(err)
		}
		a = b.await(fmt.Sprintf("read %d", round), func(now *contract.Authenticator) bool {
			return now.ID == a.ID && now.ReadAt.After(before)
		})
	}
	if err := <-tools; err != nil {
		t.Error(err)
	}
	// A read that failed would have been told, even if the next one did not.
	// That it had to wait for the other program is no failure.
	for len(events) > 0 {
		e := <-events
		waited := e.Authenticator != nil && (e.Authenticator.Condition == contract.InUse || e.Authenticator.Condition == contract.Ready)
		if e.Subject == a.ID && !waited {
			t.Errorf("%s: %s", e.Type, e.Text)
		}
	}
	if n := k.Stats().PINTries; n != 0 {
		t.Errorf("%d PIN tries", n)
	}
}

// infoRounds is a program of others that reads a key again and again.
func infoRounds(ctx context.Context, node string, rounds int) error {
	for round := range rounds {
		ctx, cancel := context.WithTimeout(ctx, patience)
		out, err := exec.CommandContext(ctx, "fido2-token", "-I", node).CombinedOutput()
		cancel()
		if err != nil || !bytes.Contains(out, []byte("pin retries: 8")) {
			return fmt.Errorf("round %d: fido2-token -I: %w\n%s", round, err, out)
		}
	}
	return nil
}

func TestAKeyMadeByOthersIsVirtualAndNotReadyForInt(t *testing.T) {
	group := keyRules(t)
	makers := map[string]func(*testing.T, *vkey.Key, identity){
		"uhid":   plugForeign,
		"gadget": gadget,
	}
	for how, plug := range makers {
		t.Run(how, func(t *testing.T) {
			k := guestKey(t, "foreign-"+how)
			plug(t, k, identity{0x1050, 0x0407, "Yubico", "YubiKey OTP+FIDO+CCID"})
			b := startBridge(t, group)
			var v contract.Verdict
			if exit := b.says(&v, "ready", "--aal", "3", "--target", "mock", "--kind", "security-key", "--wait", "1m"); exit != 0 || v.Outcome != contract.VerdictReady || v.Origin != contract.Virtual {
				t.Errorf("for the mock: exit code %d, %+v", exit, v)
			}
			a := b.await("the key", func(a *contract.Authenticator) bool { return a.Condition == contract.Ready })
			if a.Origin != contract.Virtual || !strings.HasSuffix(a.Product, "YubiKey OTP+FIDO+CCID") {
				t.Errorf("%+v", a)
			}
			v = contract.Verdict{}
			if exit := b.says(&v, "ready", "--aal", "3", "--target", "int", "--kind", "security-key"); exit != 1 || v.Outcome != contract.VerdictNotReady {
				t.Errorf("for int: exit code %d, %s", exit, v.Outcome)
			}
			if len(v.Candidates) != 1 || v.Candidates[0].Outcome != contract.VerdictNotReady || v.Candidates[0].Origin != contract.Virtual {
				t.Fatalf("%+v", v.Candidates)
			}
			for _, checks := range [][]contract.Check{v.Checks, v.Candidates[0].Checks} {
				if !slices.ContainsFunc(checks, func(c contract.Check) bool {
					return c.Code == "VIRTUAL_NOT_COUNTED" && c.State == contract.Fail && c.Remedy != ""
				}) {
					t.Errorf("for int it does not say why not: %+v", checks)
				}
			}
		})
	}
}
